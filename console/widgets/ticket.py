"""The order ticket: what it will cost and whether risk lets it pass are shown before it is sent.

A double click, a held Return key and an impatient hand send one order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QFrame, QHBoxLayout, QLineEdit, QMessageBox, QVBoxLayout

from console import format
from console.once import Once
from console.tasks import Tasks
from console.theme import SPACE
from console.widgets.layout import button, label, set_tone
from engine.control import EngineControl, Placed
from engine.domain.market import is_crypto
from engine.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from engine.views import QuoteRow

Notify = Callable[[str, str, str], None]
"""(title, text, tone)"""

TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


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
        self._build()
        self._choose_type()

    def set_symbol(self, symbol: str) -> None:
        if symbol != self._symbol:
            self._symbol = symbol
            self._title.setText(symbol)
            for field in (self._limit, self._stop, self._profit, self._loss):
                field.clear()
            self._force.setCurrentText("gtc" if is_crypto(symbol) else "day")
            self.tick()

    def take_price(self, price: float, side: Side) -> None:
        """A click on bid or ask: a limit order there."""
        (self._buy if side is Side.BUY else self._sell).setChecked(True)
        self._type.setCurrentText("limit")
        self._limit.setText(format.price(price).replace(",", ""))
        self.tick()

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

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A key that is held down is pressed once."""
        keys = {Qt.Key.Key_Return, Qt.Key.Key_Enter}
        return isinstance(event, QKeyEvent) and event.isAutoRepeat() and event.key() in keys

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
        self._type, self._force = QComboBox(), QComboBox()
        self._type.setObjectName("ticket.type")
        self._type.addItems([kind.value for kind in TYPES])
        self._type.currentIndexChanged.connect(lambda _: self._choose_type())
        self._force.setObjectName("ticket.tif")
        self._force.addItems([TimeInForce.DAY.value, TimeInForce.GTC.value, TimeInForce.IOC.value])
        self._quantity, self._limit, self._stop = QLineEdit("1"), QLineEdit(), QLineEdit()
        self._profit, self._loss = QLineEdit(), QLineEdit()
        self._quantity.setObjectName("ticket.quantity")
        for field, name, hint in (
            (self._limit, "limit", "price"),
            (self._stop, "stop", "price"),
            (self._profit, "take_profit", "none"),
            (self._loss, "stop_loss", "none"),
        ):
            field.setObjectName(f"ticket.{name}")
            field.setPlaceholderText(hint)
        for field in (self._quantity, self._limit, self._stop, self._profit, self._loss):
            field.setAlignment(Qt.AlignmentFlag.AlignRight)
            field.textChanged.connect(lambda _: self.tick())
            field.returnPressed.connect(self.submit)
            field.installEventFilter(self)
        self._estimate = label("–", "", "ticket.estimate")
        self._estimate.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._verdict = label("", "", "ticket.verdict")
        self._verdict.setWordWrap(True)
        self._verdict.setMinimumHeight(64)
        self._verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._submit = button("–", "ticket.submit", "primary")
        self._submit.clicked.connect(self.submit)
        quotes, sides, form = QHBoxLayout(), QHBoxLayout(), QFormLayout()
        quotes.addWidget(self._bid)
        quotes.addStretch(1)
        quotes.addWidget(self._ask)
        sides.addWidget(self._buy)
        sides.addWidget(self._sell)
        form.addRow(label("Type", "muted"), self._type)
        form.addRow(label("Quantity", "muted"), self._quantity)
        form.addRow(label("Limit price", "muted"), self._limit)
        form.addRow(label("Stop price", "muted"), self._stop)
        form.addRow(label("Time in force", "muted"), self._force)
        form.addRow(label("Take profit", "muted"), self._profit)
        form.addRow(label("Stop loss", "muted"), self._loss)
        form.addRow(label("Value", "muted"), self._estimate)
        layout.addWidget(self._title)
        layout.addLayout(quotes)
        layout.addLayout(sides)
        layout.addLayout(form)
        layout.addWidget(self._verdict)
        layout.addWidget(self._submit)
        layout.addStretch(1)
        self._buy.setChecked(True)

    def _choose_type(self) -> None:
        kind = OrderType(self._type.currentText())
        self._limit.setEnabled(kind in LIMITED)
        self._stop.setEnabled(kind in STOPPED)
        self.tick()

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
        kind = OrderType(self._type.currentText())
        numbers, problem = self._numbers(kind)
        quantity = numbers.get("quantity")
        if quantity is None or problem:
            return None, problem
        request = OrderRequest(
            symbol=self._symbol,
            side=Side.BUY if self._buy.isChecked() else Side.SELL,
            quantity=quantity,
            type=kind,
            time_in_force=TimeInForce(self._force.currentText()),
            limit_price=numbers.get("limit_price"),
            stop_price=numbers.get("stop_price"),
            take_profit=numbers.get("take_profit"),
            stop_loss=numbers.get("stop_loss"),
        )
        return request, ""

    def _numbers(self, kind: OrderType) -> tuple[dict[str, Decimal], str]:
        """By their names in OrderRequest, and what is wrong first; exits may be left empty."""
        asked = [("quantity", self._quantity, "quantity", True)]
        asked += [("limit_price", self._limit, "limit price", True)] if kind in LIMITED else []
        asked += [("stop_price", self._stop, "stop price", True)] if kind in STOPPED else []
        asked += [("take_profit", self._profit, "take-profit price", False)]
        asked += [("stop_loss", self._loss, "stop-loss price", False)]
        found: dict[str, Decimal] = {}
        wrong = ""
        for name, field, words, needed in asked:
            empty = not field.text().strip()
            number, problem = (None, "") if empty and not needed else read_number(field.text(), words)
            _mark(field, bool(problem and (not empty or name == "quantity")))
            wrong = wrong or problem
            if number is not None:
                found[name] = number
        return found, wrong

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
        "limit": request.limit_price,
        "stop": request.stop_price,
        "take profit": request.take_profit,
        "stop loss": request.stop_loss,
    }
    said = [f"{name} {price:f}" for name, price in prices.items() if price is not None]
    return ", ".join(said if request.type in LIMITED | STOPPED else ["at the market", *said])


def read_number(text: str, name: str) -> tuple[Decimal | None, str]:
    """A plain positive decimal. 1e5, 1,000 and nan are refused, because what is meant by them is not certain."""
    text = text.strip()
    if not text:
        return None, f"Enter a {name}."
    if not all(character.isascii() and (character.isdigit() or character == ".") for character in text):
        return None, f"The {name} must be digits with a point, such as 12.50."
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None, f"{text} is not a number."
    if number <= 0:
        return None, f"The {name} must be above zero."
    return number, ""


def _mark(field: QLineEdit, wrong: bool) -> None:
    if field.property("wrong") != wrong:
        field.setProperty("wrong", wrong)
        field.style().unpolish(field)
        field.style().polish(field)
