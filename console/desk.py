"""The panels in the frame, kept fresh: the one in sight quickly, what ages once a second, the others not at all."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMessageBox

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
from console.window import Action, Window
from engine.control import EngineControl
from engine.domain.errors import PaddockError

SLOW = 1_000
"""Milliseconds."""


class Desk:
    def __init__(self, control: EngineControl, window: Window, refresh_hz: int) -> None:
        self._control = control
        self._window = window
        self._running = False
        self._priced = False
        self._stopping: asyncio.Task[None] | None = None
        self.tasks = Tasks(self._failed)
        notify = window.notices.show_notice
        self.backtests = Backtests(control, self.tasks, window.store, notify)
        self.panels: list[Panel] = [
            Overview(control, self.tasks),
            Trading(control, self.tasks, notify),
            Processes(control, self.tasks),
            Bots(control, self.tasks),
            Errors(control, self.tasks),
            self.backtests,
        ]
        for position, panel in enumerate(self.panels):
            window.put_panel(position, panel)
        self._arrangement = Arrangement(window, window.store)
        if window.remembers:
            self._arrangement.restore()
        window.add_actions(self._actions())
        window.theme_changed.connect(self._restyle)
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
        self._window.stop_button.setEnabled(True)
        self._tick()

    async def close(self) -> None:
        """An emergency stop that runs is waited for, unless the person closes the window a second time."""
        await self._finish_emergency()
        if self._window.remembers:
            self._arrangement.save()
        self._fast.stop()
        self._slow.stop()
        self._measuring.cancel()
        await asyncio.gather(self._measuring, return_exceptions=True)
        await self.tasks.close()

    @property
    def _panel(self) -> Panel:
        return self.panels[self._window.tabs.currentIndex()]

    def _refresh(self) -> None:
        if not self._window.isMinimized():
            self._panel.refresh()

    def _tick(self) -> None:
        if not self._priced and any(quote.last for quote in self._control.views.quotes):
            self._priced = True
            mark("price")
        self._window.status.show_summary(self._control.views.summary, self._lag.p99, self._running)
        standing = sum(row.state in STANDING for row in self._control.views.errors)
        title = f"Errors && Alerts ({standing})" if standing else "Errors && Alerts"
        self._window.tabs.setTabText(self._position(Errors), title)
        if not self._window.isMinimized():
            self._panel.tick()

    def _look_now(self) -> None:
        self._panel.refresh()
        self._panel.tick()

    def _restyle(self) -> None:
        for panel in self.panels:
            panel.restyle()
        self._look_now()

    def _position(self, kind: type[Panel]) -> int:
        return next(number for number, panel in enumerate(self.panels) if isinstance(panel, kind))

    def _open(self, kind: type[Panel]) -> None:
        self._window.tabs.setCurrentIndex(self._position(kind))

    def _failed(self, name: str, message: str, remedy: str, detail: str) -> None:
        self._window.notices.show_notice(message, remedy, "bad")
        severity = "error" if detail else "warning"
        self._control.report_error("window", f"{name}: {message}", remedy=remedy, detail=detail, severity=severity)

    def _emergency(self) -> None:
        dialog = EmergencyDialog(self._window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

        async def work() -> None:
            try:
                dialog.show_report(await self._control.emergency_stop("emergency stop by hand"))
            except Exception as error:
                what = error.message if isinstance(error, PaddockError) else f"{type(error).__name__}: {error}."
                dialog.show_failure(what)
                raise

        self._stopping = self.tasks.spawn(work(), "emergency stop", self._window.stop_button)

    async def _finish_emergency(self) -> None:
        if self._stopping is None or self._stopping.done():
            return
        self._window.status.say("The emergency stop is not done yet. Close the window again to leave now.")
        again = asyncio.Event()
        self._window.closing.connect(again.set)
        leaving = asyncio.create_task(again.wait())
        await asyncio.wait({self._stopping, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()

    def _new_backtest(self) -> None:
        self._open(Backtests)
        self.backtests.ask()

    def _export(self, kind: str) -> None:
        self._open(Backtests)
        self.backtests.export(kind)

    def _processes(self, what: str) -> None:
        names = [row.name for row in self._control.views.processes]
        command = {
            "start": self._control.start_processes,
            "stop": self._control.stop_processes,
            "restart": self._control.restart_processes,
        }[what]
        self.tasks.spawn(command(names), f"{what} all")

    def _about(self) -> None:
        box = QMessageBox(self._window)
        box.setWindowTitle("About Paddock")
        box.setText("Paddock")
        box.setInformativeText(
            "An operations console for people who trade through Alpaca with bots.\nApache License 2.0"
        )
        box.open()

    def _actions(self) -> list[Action]:
        control, window = self._control, self._window
        spawn = self.tasks.spawn
        return [
            Action("&File", "&Backtest…", "file.backtest", self._new_backtest, "Ctrl+B"),
            Action("&File/&Export report", "&HTML…", "file.export.html", lambda: self._export("html")),
            Action("&File/&Export report", "&CSV…", "file.export.csv", lambda: self._export("csv")),
            Action("&File", "&Quit", "file.quit", window.close, "Ctrl+Q"),
            Action("&View", "&Overview", "view.overview", lambda: self._open(Overview)),
            Action("&View", "&Trading", "view.trading", lambda: self._open(Trading)),
            Action("&View", "&Processes", "view.processes", lambda: self._open(Processes)),
            Action("&View", "AI &Bots", "view.bots", lambda: self._open(Bots)),
            Action("&View", "&Errors && Alerts", "view.errors", lambda: self._open(Errors)),
            Action("&View", "Back&tests", "view.backtests", lambda: self._open(Backtests)),
            Action("&View", "&Dark theme", "view.dark", lambda: window.set_theme("dark")),
            Action("&View", "&Light theme", "view.light", lambda: window.set_theme("light")),
            Action("&View", "&Reset the layout", "view.reset", self._arrangement.reset),
            Action("&Trade", "&Pause trading", "trade.pause", lambda: spawn(control.pause("paused by hand"), "pause")),
            Action("&Trade", "&Resume trading", "trade.resume", lambda: spawn(control.resume(), "resume")),
            Action(
                "&Trade", "&Cancel all orders", "trade.cancel", lambda: spawn(control.cancel_all_orders(), "cancel")
            ),
            Action("&Processes", "&Start all", "processes.start_all", lambda: self._processes("start")),
            Action("&Processes", "S&top all", "processes.stop_all", lambda: self._processes("stop")),
            Action("&Processes", "&Restart all", "processes.restart_all", lambda: self._processes("restart")),
            Action("&Help", "&About Paddock", "help.about", self._about),
        ]
