"""The panels in the frame, kept fresh: the one in sight quickly, what ages once a second, the others not at all."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QTimer

from console.actions import menu_actions, open_palette
from console.arrangement import Arrangement
from console.dialogs.emergency import EmergencyDialog
from console.lag import LagMeter
from console.marks import mark
from console.panels.backtests import Backtests
from console.panels.base import Panel
from console.panels.bots import Bots
from console.panels.errors import STANDING, Errors
from console.panels.overview import Overview
from console.panels.processes import Processes
from console.panels.trading import Trading
from console.tasks import Tasks
from console.widgets.table import TableView
from console.window import Window
from engine.control import EngineControl
from engine.domain.errors import PaddockError

SLOW = 1_000
"""Milliseconds."""
EMERGENCY_EVERY = 0.5
"""Seconds between two looks at an emergency stop that goes on."""


class Desk:
    def __init__(self, control: EngineControl, window: Window, refresh_hz: int) -> None:
        self.control = control
        self.window = window
        self._running = False
        self._priced = False
        self._stopping: asyncio.Task[None] | None = None
        self.tasks = Tasks(self._failed)
        notify = window.notices.show_notice
        self._trading = Trading(control, self.tasks, notify)
        self._backtests = Backtests(control, self.tasks, window.store, notify)
        self._errors, processes = Errors(control, self.tasks), Processes(control, self.tasks)
        processes.error_wanted.connect(self.show_error)
        self.panels: list[Panel] = [
            Overview(control, self.tasks),
            self._trading,
            processes,
            Bots(control, self.tasks),
            self._errors,
            self._backtests,
        ]
        for position, panel in enumerate(self.panels):
            window.put_panel(position, panel)
        self.arrangement = Arrangement(window, window.store)
        if window.remembers:
            self.arrangement.restore()
        window.add_actions(menu_actions(self))
        window.search_button.clicked.connect(lambda: open_palette(self))
        window.theme_changed.connect(self._restyle)
        window.times_changed.connect(self._rewrite)
        window.tabs.currentChanged.connect(lambda _: self._look_now())
        window.stop_button.held.connect(self._emergency)
        window.stop_button.listen_to_keys()
        self._lag = LagMeter()
        self._measuring = asyncio.get_running_loop().create_task(self._lag.run())
        self._fast, self._slow = QTimer(window), QTimer(window)
        self._fast.timeout.connect(self._refresh)
        self._slow.timeout.connect(self._tick)
        self._fast.start(1000 // refresh_hz)
        self._slow.start(SLOW)

    def engine_runs(self) -> None:
        """Orders can be placed from now on."""
        self._running = True
        self.window.stop_button.setEnabled(True)
        self._tick()

    def open(self, name: str) -> None:
        """Bring the panel of that name to the front."""
        self.window.tabs.setCurrentIndex(self._position(name))

    def show_symbol(self, symbol: str) -> None:
        self.open("trading")
        self._trading.open_symbol(symbol)

    def show_error(self, fingerprint: str) -> None:
        """The group of errors with that fingerprint."""
        self.open("errors")
        self._errors.open_error(fingerprint)

    def new_backtest(self) -> None:
        self.open("backtests")
        self._backtests.ask()

    def export(self, kind: str) -> None:
        """`kind` is html or csv."""
        self.open("backtests")
        self._backtests.export(kind)

    async def close(self) -> None:
        """An emergency stop that runs is waited for, unless the person closes the window a second time."""
        await self._finish_emergency()
        if self.window.remembers:
            self.arrangement.save()
        self._fast.stop()
        self._slow.stop()
        self._measuring.cancel()
        await asyncio.gather(self._measuring, return_exceptions=True)
        await self.tasks.close()

    @property
    def _panel(self) -> Panel:
        return self.panels[self.window.tabs.currentIndex()]

    def _refresh(self) -> None:
        if not self.window.isMinimized():
            self._panel.refresh()

    def _tick(self) -> None:
        if not self._priced and any(quote.last for quote in self.control.views.quotes):
            self._priced = True
            mark("price")
        self.show_summary()
        standing = sum(row.state in STANDING for row in self.control.views.errors)
        title = f"Errors && Alerts ({standing})" if standing else "Errors && Alerts"
        self.window.tabs.setTabText(self._position("errors"), title)
        if not self.window.isMinimized():
            self._panel.tick()

    def show_summary(self) -> None:
        self.window.status.show_summary(self.control.views.summary, self._lag.p99, self._running)

    def _look_now(self) -> None:
        self._panel.refresh()
        self._panel.tick()

    def _restyle(self) -> None:
        for panel in self.panels:
            panel.restyle()
        self.show_summary()
        self._look_now()

    def _rewrite(self) -> None:
        for table in self.window.findChildren(TableView):
            table.source.retext()
        self._restyle()

    def _position(self, name: str) -> int:
        return next(number for number, panel in enumerate(self.panels) if panel.name == name)

    def _failed(self, name: str, message: str, remedy: str, detail: str) -> None:
        self.window.notices.show_notice(message, remedy, "bad")
        severity = "error" if detail else "warning"
        self.control.report_error("window", f"{name}: {message}", remedy=remedy, detail=detail, severity=severity)

    def _emergency(self) -> None:
        dialog = EmergencyDialog(self.window)
        dialog.open()

        async def work() -> None:
            try:
                report = await self.control.emergency_stop("emergency stop by hand")
                dialog.show_report(report)
                while not report.final:
                    await asyncio.sleep(EMERGENCY_EVERY)
                    report = self.control.emergency_report() or report
                    dialog.show_report(report)
            except Exception as error:
                what = error.message if isinstance(error, PaddockError) else f"{type(error).__name__}: {error}."
                dialog.show_failure(what)
                raise
            finally:
                # It may have been closed while it went on: what it shows is kept until the last word.
                dialog.let_go()

        self._stopping = self.tasks.spawn(work(), "emergency stop", self.window.stop_button)

    async def _finish_emergency(self) -> None:
        if self._stopping is None or self._stopping.done():
            return
        self.window.status.say("The emergency stop is not done yet. Close the window again to leave now.")
        again = asyncio.Event()
        self.window.closing.connect(again.set)
        leaving = asyncio.create_task(again.wait())
        await asyncio.wait({self._stopping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
