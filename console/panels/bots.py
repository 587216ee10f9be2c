"""AI Bots: the fleet above, what the chosen bot did below."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from console import format
from console.models.table import Column, TableModel
from console.panels.base import Panel
from console.panels.columns import fill_columns, order_columns
from console.panels.process_columns import STATES
from console.tasks import Tasks
from console.widgets.layout import button, card, label, row, set_tone, splitter
from console.widgets.log_tail import LogTail
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.views import BotRow


class Bots(Panel):
    title = "AI Bots"
    name = "bots"

    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__(control, tasks)
        self._start = button("▶ Start", "bots.start", tooltip="Start the selected bots")
        self._stop = button("■ Stop", "bots.stop", tooltip="Stop the selected bots; their positions stay")
        self._restart = button("⟳ Restart", "bots.restart", tooltip="Restart the selected bots")
        for one, command in (
            (self._start, control.start_processes), (self._stop, control.stop_processes),
            (self._restart, control.restart_processes),
        ):  # fmt: skip
            one.clicked.connect(lambda _=False, one=one, command=command: self._run(one.text(), command))
        self._total = label("", "figure", "bots.total")
        self._table = TableView(
            TableModel(self.views.bots, _columns()),
            "bots.table",
            "No bot is configured. Add [[bots]] to the configuration file: `paddock config path` names it.",
        )
        self._table.selected.connect(self._choose)
        self._fills = TableView(
            TableModel(self.views.fills, fill_columns(), newest_first=True),
            "bots.fills",
            "This bot has not traded yet.",
        )
        self._orders = TableView(
            TableModel(self.views.orders, order_columns(), newest_first=True),
            "bots.orders",
            "This bot has placed no order yet.",
        )
        self._fills.hide_columns("Sleeve", "Order")
        self._orders.hide_columns("Sleeve")
        self._log = LogTail(control)
        fleet = card(row(self._start, self._stop, self._restart, None, self._total), self._table, stretch=1)
        lists = splitter(
            card(self._fills, title="FILLS", stretch=0), card(self._orders, title="ORDERS", stretch=0), self._log,
            sizes=[380, 460, 400], name="bots.lists",
        )  # fmt: skip
        self.body.addWidget(splitter(fleet, lists, sizes=[260, 420], vertical=True, name="bots.splitter"))
        self._choose(None)

    def refresh(self) -> None:
        for table in (self._table, self._fills, self._orders):
            table.source.refresh()
        if self._table.current_row() is None:
            self._table.select_where(lambda bot: True)
        self._log.refresh()

    def tick(self) -> None:
        self._table.source.retext()
        total = sum(bot.realised + bot.unrealised for bot in self.views.bots)
        self._total.setText(f"{format.signed(total)} in all")
        set_tone(self._total, format.tone(total))
        self._enable()

    def restyle(self) -> None:
        self._log.restyle()

    def _choose(self, bot: BotRow | None) -> None:
        sleeve = bot.sleeve if bot is not None else ""
        for table in (self._fills, self._orders):
            table.filtered.accept_only(lambda row: row.sleeve == sleeve)
        self._log.follow(bot.name if bot is not None else "")
        self._enable()

    def _enable(self) -> None:
        rows = self._table.rows()
        resting = {"STOPPED", "EXITED", "FATAL", "STUCK"}
        self._start.setEnabled(any(bot.state in resting for bot in rows))
        self._stop.setEnabled(any(bot.state not in resting for bot in rows))
        self._restart.setEnabled(bool(rows))

    def _run(self, name: str, command: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        names = [bot.name for bot in self._table.rows()]

        async def work() -> None:
            await command(names)

        if names:
            self.tasks.spawn(work(), f"{name} {', '.join(names)}")


def _columns() -> list[Column[BotRow]]:
    def pnl(bot: BotRow) -> float:
        return bot.realised + bot.unrealised

    return [
        Column("Bot", lambda r: r.name, width=100),
        Column("State", lambda r: f"{STATES.get(r.state, ('○', ''))[0]} {r.state}", width=104,
               tone=lambda r: STATES.get(r.state, ("", "muted"))[1]),
        Column("Strategy", lambda r: r.strategy, width=100),
        Column("Symbols", lambda r: r.symbols, width=116),
        Column("Bars", lambda r: r.timeframe, width=46),
        Column("P&L", lambda r: format.signed(pnl(r)), pnl, tone=lambda r: format.tone(pnl(r)), width=96, right=True),
        Column("Realised", lambda r: format.signed(r.realised), lambda r: r.realised,
               tone=lambda r: format.tone(r.realised), width=90, right=True),
        Column("Position", lambda r: format.money(r.position_value), lambda r: r.position_value, width=80, right=True),
        Column("Capital", lambda r: format.money(r.capital), lambda r: r.capital, width=84, right=True),
        Column("Signals", lambda r: str(r.signals), lambda r: r.signals, width=60, right=True),
        Column("Revised", lambda r: str(r.revised), lambda r: r.revised, width=60, right=True,
               tone=lambda r: "warning" if r.revised else "",
               tooltip=lambda r: r.last_revision or "Signals that a bar's later correction would have changed"),
        Column("Orders", lambda r: str(r.orders), lambda r: r.orders, width=56, right=True),
        Column("Fills", lambda r: str(r.fills), lambda r: r.fills, width=48, right=True),
        Column("Blocked", lambda r: str(r.blocked), lambda r: r.blocked, width=62, right=True,
               tone=lambda r: "warning" if r.blocked else ""),
        Column("Confidence", lambda r: format.percent(r.confidence, 0), lambda r: r.confidence, width=76, right=True),
        Column("Last signal", lambda r: r.last_signal or format.DASH, width=140,
               tooltip=lambda r: format.exact(r.last_signal_at)),
        Column("When", lambda r: format.ago(r.last_signal_at, time.time_ns()), lambda r: r.last_signal_at, width=72),
    ]  # fmt: skip
