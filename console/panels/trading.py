"""Trading: watch list, chart and ticket above; positions, orders and fills below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QLineEdit, QMenu, QPushButton, QTabWidget, QWidget

from console import format
from console.charts.chart import Chart
from console.charts.overlay import KINDS
from console.models.table import Column, TableModel
from console.once import Once
from console.panels.base import Panel
from console.panels.columns import balance_columns, fill_columns, position_columns
from console.panels.orders import Orders
from console.tasks import Tasks
from console.widgets.choices import remember
from console.widgets.layout import button, card, column, label, row, set_tone, splitter
from console.widgets.notices import Notify
from console.widgets.table import TableView
from console.widgets.ticket import OrderTicket
from engine.control import EngineControl
from engine.domain.errors import PaddockError
from engine.domain.market import Bar, Timeframe
from engine.domain.orders import MANUAL_SLEEVE
from engine.views import PositionRow, QuoteRow

TIMEFRAMES = tuple(Timeframe)
INDICATORS = "Choose the indicators in the chart"
HISTORY = 500
EXTERNAL = "external"
"""The sleeve of what was traded outside this console."""
SILENT = 5.0
"""Seconds without data in an open market after which the chart says so."""


class Trading(Panel):
    title = "Trading"
    name = "trading"

    def __init__(self, control: EngineControl, tasks: Tasks, notify: Notify) -> None:
        super().__init__(control, tasks)
        self._notify = notify
        self._symbol = ""
        self._timeframe = Timeframe.MINUTE_1
        self._loaded = False
        self._loading = 0
        self._new_fills = self.views.fills.reader()
        self._new_orders, self._open_orders = self.views.orders.reader(), 0
        self._closing = Once()
        self.ticket = OrderTicket(control, tasks, notify)
        self.ticket.setFixedWidth(250)
        self.chart = Chart()
        top = splitter(self._watch_card(), self._chart_card(), self.ticket, sizes=[352, 730, 250], name="trading.top")
        self.body.addWidget(splitter(top, self._lists(), sizes=[520, 260], vertical=True, name="trading.splitter"))

    def show_symbol(self, symbol: str) -> None:
        if symbol and symbol != self._symbol:
            self._symbol = symbol
            self.ticket.set_symbol(symbol)
            self._load()

    def open_symbol(self, symbol: str) -> None:
        """As if it had been chosen in the watch list."""
        self._watch.select_where(lambda quote: quote.symbol == symbol)
        self.show_symbol(symbol)

    def refresh(self) -> None:
        self._watch.source.refresh()
        for table in (self._positions, self._orders.table, self._fills, self._balance):
            table.source.refresh()
        if not self._symbol:
            self._watch.select_where(lambda quote: True)
        if self._loaded and self._symbol:
            newest = self.chart.series.last_start
            self.chart.update_bars(self.control.live_bars(self._symbol, self._timeframe, newest))
        changed, _ = self._new_fills.drain()
        if any(fill.symbol == self._symbol for fill in changed.values()):
            self._draw_fills()
        self._show_last()
        self._count()

    def tick(self) -> None:
        self.ticket.tick()
        self._show_indicators()
        self._say_why_quiet()
        self._enable()

    def _count(self) -> None:
        """On the tabs, together with the rows: a count that is behind them looks like a position that is lost."""
        if self._new_orders.changed:
            self._new_orders.drain()
            self._open_orders = sum(order.is_open for order in self.views.orders)
        unequal = sum(balance.verdict != "equal" for balance in self.views.balance)
        titles = (
            f"Positions {len(self.views.positions)}",
            f"Orders {self._open_orders}",
            f"Fills {len(self.views.fills)}",
            f"Balance: {unequal} unequal" if unequal else "Balance",
        )
        for position, title in enumerate(titles):
            if self._tabs.tabText(position) != title:
                self._tabs.setTabText(position, title)

    def _enable(self) -> None:
        self._orders.enable()
        self._close.setEnabled(bool(self._positions.rows()))

    def restyle(self) -> None:
        self.chart.restyle()

    def _watch_card(self) -> QWidget:
        self._watch = TableView(
            TableModel(self.views.quotes, _quote_columns()), "trading.watch", "Prices appear when the feed runs."
        )
        self._watch.hide_columns("Bid", "Ask")  # the ticket has them; by the menu of the headings they come back
        self._watch.selected.connect(lambda quote: self.show_symbol(quote.symbol) if quote is not None else None)
        self._watch.menu_actions = [("Remove from the list", self._unwatch)]
        self._add = QLineEdit()
        self._add.setObjectName("trading.watch.add")
        self._add.setPlaceholderText("+ add a symbol")
        self._add.setAccessibleName("add a symbol to the watch list")
        self._add.returnPressed.connect(self._watch_new)
        return card(self._watch, self._add, title="WATCH LIST", stretch=0)

    def _chart_card(self) -> QWidget:
        self._heading = label("–", "figure", "trading.symbol")
        self._last = label("", "figure", "trading.last")
        self._buttons: dict[Timeframe, QPushButton] = {}
        for timeframe in TIMEFRAMES:
            one = button(timeframe.value, f"trading.timeframe.{timeframe.value}", "flat")
            one.setCheckable(True)
            one.setAutoExclusive(True)
            one.setChecked(timeframe is self._timeframe)
            one.clicked.connect(lambda _=False, timeframe=timeframe: self._choose(timeframe))
            self._buttons[timeframe] = one
        return card(
            row(self._heading, self._last, None, *self._buttons.values(), self._indicators_button()),
            self.chart,
            stretch=1,
        )

    def _indicators_button(self) -> QPushButton:
        """A menu of what is drawn and read out, remembered; the feed gives values of all lengths but seconds."""
        found = button("Indicators", "trading.indicators", "flat", tooltip=INDICATORS)
        menu = QMenu(found)
        for kind in KINDS:
            action = menu.addAction(kind.title)
            action.setCheckable(True)
            action.setChecked(kind.name in self.chart.overlay.shown)
            action.setObjectName(f"trading.indicators.{kind.name}")
            remember(action)
            action.toggled.connect(lambda shown, name=kind.name: self.chart.show_indicator(name, shown))
        found.setMenu(menu)
        self._indicators = found
        return found

    def _lists(self) -> QWidget:
        views = self.views
        self._positions = TableView(
            TableModel(views.positions, position_columns()), "trading.positions", "No position is open."
        )
        self._orders = Orders(self.control, self.tasks, self._notify)
        self._fills = TableView(
            TableModel(views.fills, fill_columns(), newest_first=True), "trading.fills", "Nothing has been filled yet."
        )
        self._balance = TableView(
            TableModel(views.balance, balance_columns()),
            "trading.balance",
            "Engine, journal and broker are compared every minute.",
        )
        self._close = button("Close position", "trading.close", tooltip="Close the selected positions at the market")
        self._close.clicked.connect(lambda: self._close_rows(self._positions.rows()))
        self._positions.menu_actions = [
            ("Close position", self._close_rows),
            ("Give what was traded elsewhere to this sleeve", self._give_rows),
        ]
        for table in (self._positions, self._orders.table, self._fills):
            table.doubleClicked.connect(lambda _, table=table: self._jump(table))
        self._positions.selected.connect(lambda _: self._enable())
        self._enable()
        self._tabs = QTabWidget()
        self._tabs.setObjectName("trading.lists")
        self._tabs.addTab(column(self._positions, row(self._close, None)), "Positions")
        self._tabs.addTab(self._orders, "Orders")
        self._tabs.addTab(self._fills, "Fills")
        self._tabs.addTab(self._balance, "Balance")
        return card(self._tabs, stretch=0)

    def _jump(self, table: TableView) -> None:
        found = table.current_row()
        if found is not None:
            self.open_symbol(found.symbol)

    def _choose(self, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        has_values = timeframe is not Timeframe.SECOND_1
        self._indicators.setEnabled(has_values)
        self._indicators.setToolTip(
            INDICATORS if has_values else "Bars of seconds have no indicators; choose 1m or longer"
        )
        self._load()

    def _load(self) -> None:
        self._loaded = False
        self._loading += 1
        self._heading.setText(self._symbol)
        self.chart.set_bars([])
        self.chart.set_indicators([])
        self._draw_fills()
        self.chart.say("Loading…")
        self.tasks.spawn(self._load_history(self._loading), f"history of {self._symbol}")

    async def _load_history(self, number: int) -> None:
        """Of several in a row only the last counts."""
        try:
            bars: Sequence[Bar] = await self.control.history(self._symbol, self._timeframe, HISTORY)
        except PaddockError as error:
            if number == self._loading:
                self.chart.say(f"{error.message}\n{error.remedy}")
                self._loaded = True
            return
        if number == self._loading:
            self._loaded = True
            self.chart.set_bars(bars)
            self._show_indicators()
            self.chart.say("" if bars else f"No bars of {self._timeframe.value} for {self._symbol} yet.")

    def _show_indicators(self) -> None:
        if self._loaded and self._symbol:
            self.chart.set_indicators(self.control.indicators(self._symbol, self._timeframe, 0))

    def _draw_fills(self) -> None:
        self.chart.set_fills([fill for fill in self.views.fills if fill.symbol == self._symbol])

    def _show_last(self) -> None:
        quote = self.views.quotes.get(self._symbol)
        if quote is None or not quote.last:
            return
        change = quote.last - quote.previous_close if quote.previous_close else 0.0
        share = change / quote.previous_close if quote.previous_close else 0.0
        self._last.setText(f"{format.price(quote.last)}  {format.signed(change)} ({format.percent(share, sign=True)})")
        set_tone(self._last, format.tone(change))

    def _say_why_quiet(self) -> None:
        if not self._loaded or not len(self.chart.series):
            return
        summary = self.views.summary
        quiet = summary.market_open and summary.feed_age > SILENT
        self.chart.say(f"The feed has been silent for {format.duration(summary.feed_age)}." if quiet else "")

    def _watch_new(self) -> None:
        symbol = self._add.text().strip().upper()
        if not symbol:
            return

        async def work() -> None:
            await self.control.watch(symbol)
            self._add.clear()
            self._notify(f"{symbol} is on the watch list", "", "good")

        self.tasks.spawn(work(), f"watch {symbol}", self._add)

    def _unwatch(self, rows: Sequence[QuoteRow]) -> None:
        for quote in rows:
            self.tasks.spawn(self.control.unwatch(quote.symbol), f"unwatch {quote.symbol}")

    def _close_rows(self, rows: Sequence[PositionRow]) -> None:
        for position in rows:
            if self._is_being_closed(position):
                self._notify(f"{position.symbol} is being closed already", "Cancel that order first.", "warning")
            elif self._closing.begin(position.key):
                self.tasks.spawn(self._close_one(position), f"close {position.symbol}")

    def _give_rows(self, rows: Sequence[PositionRow]) -> None:
        """From the row of the sleeve that is to have it, or from the external row to the person's own."""
        for position in rows:
            sleeve = MANUAL_SLEEVE if position.sleeve == EXTERNAL else position.sleeve
            self.tasks.spawn(self._give(position.symbol, sleeve), f"give {position.symbol} to {sleeve}")

    async def _give(self, symbol: str, sleeve: str) -> None:
        await self.control.reassign_external(symbol, sleeve)
        self._notify(f"{sleeve} has what was traded elsewhere in {symbol}", "It is written in the journal.", "good")

    async def _close_one(self, position: PositionRow) -> None:
        try:
            await self.control.close_position(position.key)
        finally:
            self._closing.end(position.key)

    def _is_being_closed(self, position: PositionRow) -> bool:
        """Whether open orders cover it: a second close would open a position on the other side."""
        side = "sell" if position.quantity > 0 else "buy"
        working = sum(
            order.quantity - order.filled_quantity
            for order in self.views.orders
            if order.is_open and (order.symbol, order.sleeve, order.side) == (position.symbol, position.sleeve, side)
        )
        return working >= abs(position.quantity) - 1e-9


def _quote_columns() -> list[Column[QuoteRow]]:
    def change(quote: QuoteRow) -> float:
        return quote.last / quote.previous_close - 1 if quote.previous_close and quote.last else 0.0

    return [
        Column("Symbol", lambda r: r.symbol, width=82),
        Column("Last", lambda r: format.price(r.last), lambda r: r.last, width=88, right=True),
        Column("Change", lambda r: format.percent(change(r), sign=True) if r.last else format.DASH, change,
               tone=lambda r: format.tone(100 * change(r)), width=76, right=True),
        Column("Volume", lambda r: format.compact(r.day_volume) if r.last else format.DASH, lambda r: r.day_volume,
               width=68, right=True),
        Column("Bid", lambda r: format.price(r.bid), lambda r: r.bid, width=76, right=True),
        Column("Ask", lambda r: format.price(r.ask), lambda r: r.ask, width=76, right=True),
    ]  # fmt: skip
