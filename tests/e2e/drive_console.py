"""Opens the real console on a fresh data folder and does what a person would, by clicking; prints what it saw as JSON.

`python -m tests.e2e.drive_console DATA BARS OUT`: BARS is a CSV of bars for the backtest, OUT a folder for the reports.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QFileDialog, QLineEdit, QMessageBox, QWidget

from console.app import ConsoleSettings, run_console
from console.widgets.table import TableView
from console.widgets.tree import TreeView
from console.window import Window
from engine.config import load_settings
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TradingEngine
from engine.preflight import checked
from tests.waiting import until

LONGEST = 40.0


class Person:
    """Sees the window, and has a mouse and a keyboard."""

    def __init__(self, engine: TradingEngine, bars: Path, out: Path) -> None:
        self.engine = engine
        self.views = engine.views
        self.bars = bars
        self.out = out
        self.seen: dict[str, Any] = {}

    async def work(self) -> None:
        try:
            await self.trade()
            await self.restart_the_feed()
            await self.lose_a_bot()
            await self.place_an_order()
            await self.run_a_backtest()
            await self.stop_everything_in_an_emergency()
            self.seen["errors"] = [
                f"{row.component}: {row.message} {row.detail}"
                for row in self.views.errors
                if row.severity in {"error", "critical"}
            ]
            self.seen["pids"] = [row.pid for row in self.views.processes if row.pid]
        except BaseException as error:
            self.seen["failure"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            sys.stdout.write(json.dumps(self.seen) + "\n")
            sys.stdout.flush()
            self.window.close()

    @property
    def window(self) -> Window:
        return next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Window))

    def find(self, kind: type[Any], name: str) -> Any:
        found = self.window.findChild(kind, name)
        assert found is not None, f"there is no {name} in the window"
        return found

    def click(self, name: str) -> None:
        button = self.find(QAbstractButton, name)
        assert button.isEnabled(), f"{name} is disabled"
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def open(self, name: str) -> None:
        self.find(QAction, name).trigger()

    async def wait(self, what: str, condition: Callable[[], Any]) -> Any:
        try:
            return await until(condition, LONGEST)
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    def state(self, name: str) -> str:
        row = self.views.processes.get(name)
        return row.state if row is not None else ""

    async def trade(self) -> None:
        await self.wait("a live price", lambda: any(quote.last > 0 for quote in self.views.quotes))
        fill = await self.wait(
            "a bot's fill", lambda: next((f for f in self.views.fills if f.sleeve != "manual"), None)
        )
        self.seen["first fill"] = fill.sleeve
        await self.wait("the account", lambda: self.views.summary.equity > 0)

    async def restart_the_feed(self) -> None:
        self.open("view.processes")
        table = self.find(TreeView, "processes.table")
        await self.wait("the process table", lambda: table.select_where(lambda row: row.name == "feed"))
        before = self.views.processes.get("feed").pid  # type: ignore[union-attr]
        await self.wait("the stop button", self.find(QAbstractButton, "processes.stop").isEnabled)
        self.click("processes.stop")
        if self.window.findChild(QMessageBox, "processes.stop_critical") is not None:
            self.click("processes.stop_anyway")  # a bot holds something
        await self.wait("the feed to stop", lambda: self.state("feed") == "STOPPED")
        await self.wait("the start button", self.find(QAbstractButton, "processes.start").isEnabled)
        messages = self.engine._parts.market.messages
        self.click("processes.start")
        await self.wait("the feed to run", lambda: self.state("feed") == "RUNNING")
        await self.wait("prices again", lambda: self.engine._parts.market.messages > messages + 20)
        self.seen["feed restarted"] = self.views.processes.get("feed").pid != before  # type: ignore[union-attr]

    async def lose_a_bot(self) -> None:
        row = self.views.processes.get("sma-cross")
        assert row is not None
        killed = row.pid
        os.kill(killed, signal.SIGKILL)
        await self.wait("the bot's death", lambda: self.state("sma-cross") != "RUNNING")
        await self.wait("the bot to come back", lambda: self.state("sma-cross") == "RUNNING")
        row = self.views.processes.get("sma-cross")
        assert row is not None
        self.seen["bot came back"] = row.pid != killed and row.restarts == 1
        self.seen["incident told"] = any("SIGKILL" in error.message for error in self.views.errors)

    async def place_an_order(self) -> None:
        """A limit far below the market by the ticket, and its cancel by the button; a double click sends one."""
        self.open("view.trading")
        quantity, limit = self.find(QLineEdit, "ticket.quantity"), self.find(QLineEdit, "ticket.limit")
        symbol = "BAC"  # three of it are far below every limit
        watch = self.find(TableView, "trading.watch")
        await self.wait("the watch list", lambda: watch.select_where(lambda quote: quote.symbol == symbol))
        await self.wait("the symbol in the ticket", lambda: self.find(QWidget, "ticket.symbol").text() == symbol)
        quote = self.views.quotes.get(symbol)
        assert quote is not None
        self.find(QWidget, "ticket.type").setCurrentText("limit")
        quantity.setText("3")
        limit.setText(f"{quote.last * 0.9:.2f}")
        submit = self.find(QAbstractButton, "ticket.submit")
        await self.wait("the ticket to be ready", submit.isEnabled)
        QTest.mouseDClick(submit, Qt.MouseButton.LeftButton)
        QTest.mouseClick(submit, Qt.MouseButton.LeftButton)

        def mine() -> list[Any]:
            return [order for order in self.views.orders if order.sleeve == "manual"]

        await self.wait(
            "the order at the venue", lambda: any(order.venue_order_id and order.is_open for order in mine())
        )
        self.seen["orders by hand"] = len(mine())
        tabs = self.find(QWidget, "trading.lists")
        tabs.setCurrentIndex(1)
        table = self.find(TableView, "trading.orders")
        await self.wait("the order in the list", lambda: table.select_where(lambda order: order.sleeve == "manual"))
        await self.wait("the cancel button", self.find(QAbstractButton, "trading.cancel").isEnabled)
        self.click("trading.cancel")
        await self.wait("the cancel", lambda: mine()[0].status == "canceled")
        self.seen["cancelled"] = True

    async def run_a_backtest(self) -> None:
        self.open("file.backtest")
        dialog = await self.wait("the backtest dialog", lambda: self.dialog("Backtest"))
        dialog.findChild(QLineEdit, "backtest.path").setText(str(self.bars))
        dialog.findChild(QAbstractButton, "backtest.run").click()
        results = self.find(TableView, "backtests.runs")
        await self.wait("the result", lambda: results.filtered.rowCount() == 1)
        for kind in ("html", "csv"):
            path = self.out / f"report.{kind}"
            self.open(f"file.export.{kind}")
            chooser = await self.wait(
                "the file dialog", lambda: self.window.findChild(QFileDialog, "backtests.export.dialog")
            )
            chooser.fileSelected.emit(str(path))
            chooser.close()
            await self.wait("the dialog to go", lambda: self.window.findChild(QFileDialog) is None)
            await self.wait(f"the {kind} report", path.is_file)
        self.seen["backtest"] = results.current_row().title

    def dialog(self, title: str) -> QDialog | None:
        return next((d for d in self.window.findChildren(QDialog) if d.windowTitle() == title and d.isVisible()), None)

    async def stop_everything_in_an_emergency(self) -> None:
        button = self.find(QAbstractButton, "emergency.stop")
        QTest.mousePress(button, Qt.MouseButton.LeftButton)
        dialog = await self.wait("the emergency dialog", lambda: self.window.findChild(QDialog, "emergency.dialog"))
        text = dialog.findChild(QWidget, "emergency.text")
        await self.wait("the report", lambda: "CONFIRMED" in text.text() or "FLAT" in text.text())
        self.seen["emergency"] = text.text()
        self.seen["state after it"] = self.views.summary.trading_state.value
        dialog.close()


def main() -> int:
    data, bars, out = (Path(argument) for argument in sys.argv[1:4])
    settings = checked(load_settings(data))
    with Installation(settings.data, folder_name(settings)) as installation:
        keep: list[asyncio.Task[None]] = []

        def make_engine() -> TradingEngine:
            engine = TradingEngine(settings, installation)
            keep.append(asyncio.get_running_loop().create_task(Person(engine, bars, out).work()))
            return engine

        return run_console(ConsoleSettings(environment="demo", folder=data), make_engine)


if __name__ == "__main__":
    sys.exit(main())
