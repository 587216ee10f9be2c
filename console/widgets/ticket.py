"""The order ticket: what it will cost and whether risk lets it pass are shown before it is sent.

A double click, a held Return key and an impatient hand send one order.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMessageBox, QVBoxLayout

from console import format
from console.once import Once
from console.tasks import Tasks
from console.theme import SPACE
from console.widgets.layout import button, label, set_tone
from console.widgets.notices import Notify
from console.widgets.ticket_form import TicketForm
from engine.control import EngineControl, Placed
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.views import QuoteRow


class OrderTicket(QFrame):
    """`set_symbol` fills it from the chart; `tick` keeps estimate and verdict up to date."""

    def __init__(self, control: EngineControl, tasks: Tasks, notify: Notify) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._control = control
        self._tasks = tasks
        self._notify = notify
        self._symbol = ""
        self._once = Once()
        self._rearm = QTimer(self)
        self._rearm.setSingleShot(True)
        self._rearm.setTimerType(Qt.TimerType.PreciseTimer)  # a coarse one may come early, and the button stay off
        self._rearm.timeout.connect(self.tick)
        self._form = TicketForm()
        self._build()
        self._form.changed.connect(self.tick)
        self._form.entered.connect(self.submit)
        self.tick()

    def set_symbol(self, symbol: str) -> None:
        if symbol != self._symbol:
            self._symbol = symbol
            self._title.setText(symbol)
            self._form.begin(symbol)
            self.tick()

    def take_price(self, price: float, side: Side) -> None:
        """A click on bid or ask: a limit order there."""
        (self._buy if side is Side.BUY else self._sell).setChecked(True)
        self._form.set_limit(price)

    def tick(self) -> None:
        quote = self._control.views.quotes.get(self._symbol)
        self._show_quote(quote)
        request, problem = self._read()
        if request is None:
            self._estimate.setText(format.DASH)
            self._say(problem, "warning" if problem else "")
            self._submit.setEnabled(False)
            return
        verdict = self._control.check_order(request)
        self._estimate.setText(f"≈ {format.money(float(verdict.notional))}" if verdict.notional else format.DASH)
        text = "Risk checks pass." if verdict.allowed else f"{verdict.message} {verdict.remedy}"
        self._say(text, "good" if verdict.allowed else "warning")
        self._submit.setEnabled(verdict.allowed and self._once.ready())
        environment = self._control.views.summary.environment.upper()
        self._submit.setText(f"{request.side.value.upper()} {request.quantity:f} {self._symbol} · {environment}")

    def submit(self) -> None:
        """By the button or by Return; what risk refuses now is not sent, whichever way it was asked for."""
        request, _ = self._read()
        if request is None or not self._control.check_order(request).allowed:
            self.tick()
        elif self._once.begin():
            self._submit.setEnabled(False)
            if self._control.views.summary.environment == "live":
                self._confirm(request)
            else:
                self._send(request)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.setSpacing(SPACE)
        self._title = label("–", "figure", "ticket.symbol")
        self._bid, self._ask = button("bid –", "ticket.bid", "flat"), button("ask –", "ticket.ask", "flat")
        self._bid.clicked.connect(lambda: self._take(Side.SELL))
        self._ask.clicked.connect(lambda: self._take(Side.BUY))
        self._buy, self._sell = button("Buy", "ticket.buy", "buy"), button("Sell", "ticket.sell", "sell")
        for one in (self._buy, self._sell):
            one.setCheckable(True)
            one.setAutoExclusive(True)
            one.toggled.connect(lambda _: self.tick())
        self._estimate = label("–", "", "ticket.estimate")
        self._estimate.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._verdict = label("", "", "ticket.verdict")
        self._verdict.setWordWrap(True)
        self._verdict.setMinimumHeight(64)
        self._verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._submit = button("–", "ticket.submit", "primary")
        self._submit.clicked.connect(self.submit)
        quotes, sides, value = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        quotes.addWidget(self._bid)
        quotes.addStretch(1)
        quotes.addWidget(self._ask)
        sides.addWidget(self._buy)
        sides.addWidget(self._sell)
        value.addWidget(label("Value", "muted"))
        value.addWidget(self._estimate, 1)
        layout.addWidget(self._title)
        layout.addLayout(quotes)
        layout.addLayout(sides)
        layout.addWidget(self._form)
        layout.addLayout(value)
        layout.addWidget(self._verdict)
        layout.addWidget(self._submit)
        layout.addStretch(1)
        self._buy.setChecked(True)

    def _take(self, side: Side) -> None:
        quote = self._control.views.quotes.get(self._symbol)
        price = 0.0 if quote is None else quote.ask if side is Side.BUY else quote.bid
        if price > 0:
            self.take_price(price, side)

    def _show_quote(self, quote: QuoteRow | None) -> None:
        self._bid.setText(f"bid {format.price(quote.bid if quote else None)}")
        self._ask.setText(f"ask {format.price(quote.ask if quote else None)}")

    def _read(self) -> tuple[OrderRequest | None, str]:
        """The order as it stands in the form, or what is wrong with it."""
        if not self._symbol:
            return None, "Choose a symbol in the watch list."
        return self._form.read(self._symbol, Side.BUY if self._buy.isChecked() else Side.SELL)

    def _say(self, text: str, tone: str) -> None:
        self._verdict.setText(text)
        set_tone(self._verdict, tone)

    def _confirm(self, request: OrderRequest) -> None:
        price = _priced(request)
        box = QMessageBox(self)
        box.setObjectName("ticket.confirm")
        box.setWindowTitle("Real money")
        box.setText(f"{request.side.value.upper()} {request.quantity:f} {request.symbol} in the LIVE account?")
        box.setInformativeText(f"{price} · {request.time_in_force.value} · worth {self._estimate.text()}")
        box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.finished.connect(lambda code: self._confirmed(request, code == QMessageBox.StandardButton.Yes))
        box.finished.connect(box.deleteLater)
        box.open()

    def _confirmed(self, request: OrderRequest, yes: bool) -> None:
        if yes:
            self._send(request)
        else:
            self._over()

    def _send(self, request: OrderRequest) -> None:
        self._tasks.spawn(self._place(request), "place order")

    async def _place(self, request: OrderRequest) -> None:
        try:
            placed = await self._control.place_order(request)
        finally:
            self._over()
        self._report(request, placed)

    def _over(self) -> None:
        self._once.end()
        self._rearm.start(round(self._once.pause * 1000) + 10)
        self.tick()

    def _report(self, request: OrderRequest, placed: Placed) -> None:
        what = f"{request.side.value} {request.quantity:f} {request.symbol}"
        bad = placed.status in {"rejected", "blocked", "unresolved"}
        self._notify(f"{what}: {placed.status.replace('_', ' ')}", placed.message, "bad" if bad else "good")


def _priced(request: OrderRequest) -> str:
    prices = {
        "take profit" if request.one_cancels_other else "limit": request.limit_price,
        "stop": request.stop_price,
        "trail": request.trail_price,
        "trail in per cent": request.trail_percent,
        "take profit": request.take_profit,
        "stop loss": request.stop_loss,
    }
    said = [f"{name} {price:f}" for name, price in prices.items() if price is not None]
    return ", ".join(["at the market", *said] if request.type is OrderType.MARKET else said)
