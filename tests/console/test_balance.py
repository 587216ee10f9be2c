"""The three books side by side under Trading, and what was traded elsewhere given to a sleeve from its row."""

from __future__ import annotations

from PySide6.QtWidgets import QTabWidget

from console.desk import Desk
from console.widgets.table import TableView
from console.window import Window
from engine.views import BalanceRow
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.console.test_window import find
from tests.waiting import until


def row(symbol: str, broker: float, verdict: str) -> BalanceRow:
    return BalanceRow(
        symbol=symbol, engine=5.0, journal=5.0, broker=broker, difference=broker - 5.0, verdict=verdict, compared_at=1
    )


def test_books_that_differ_are_counted_on_the_tab(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(1)
        tabs = find(window, "trading.lists", QTabWidget)
        await until(lambda: tabs.tabText(3) == "Balance")
        engine.views.balance.put("SPY", row("SPY", 5.0, "equal"))
        engine.views.balance.put("IBM", row("IBM", 2.0, "traded elsewhere"))
        await until(lambda: tabs.tabText(3) == "Balance: 1 unequal")
        tabs.setCurrentIndex(3)
        table = find(window, "trading.balance", TableView)
        await until(lambda: table.model().rowCount() == 2)
        await desk.close()

    run(main())


def test_what_was_traded_elsewhere_is_given_from_the_menu_of_the_sleeves_row(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(1)
        table = find(window, "trading.positions", TableView)
        await until(lambda: table.select_where(lambda position: position.sleeve == "sma-cross"))
        ((_, give),) = [action for action in table.menu_actions if "elsewhere" in action[0]]
        give(table.rows())
        await until(lambda: engine.asked)
        await desk.close()

    run(main())
    assert engine.asked == [("reassign_external", "SPY", "sma-cross")]
