"""How an order went, as a person reads it from the orders table."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QTableWidget, QTabWidget

from console.desk import Desk
from console.widgets.table import TableView
from console.window import Window
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


def test_the_menu_of_an_order_shows_its_steps_and_what_each_took(run: Run, qapp: QApplication, tmp_path: Path) -> None:
    window = Window("demo", QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))

    async def main() -> None:
        desk = Desk(ScriptedEngine(), window, 50)
        desk.engine_runs()
        window.show()
        window.tabs.setCurrentIndex(1)
        window.findChild(QTabWidget, "trading.lists").setCurrentIndex(1)
        table = window.findChild(TableView, "trading.orders")
        assert table is not None
        await until(lambda: table.select_where(lambda row: True))
        dict(table.menu_actions)["How it went…"](table.rows())
        dialog = window.findChild(QDialog, "flight.dialog")
        steps = dialog.findChild(QTableWidget, "flight.steps")
        shown = [[steps.item(row, column).text() for column in (1, 2)] for row in range(steps.rowCount())]
        assert shown == [["0.00 ms", "verdict"], ["4.00 ms", "sent"]]
        assert dialog.findChild(QLabel, "flight.whole").text() == "2 steps in 4.0 ms"
        dialog.reject()
        await desk.close()

    run(main())
    window.leave()
