"""The list of orders: exits under their parent, a change by keyboard and dialog, orders of others adopted from the menu."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QDialog, QLineEdit, QPushButton, QTabWidget

from console.desk import Desk
from console.widgets.table import TableView
from console.window import Window
from engine.control import EmergencyReport, Verdict
from engine.domain.orders import OrderChanges
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


class Shown:
    """The window with its list of orders in front."""

    def __init__(self, engine: ScriptedEngine, window: Window) -> None:
        self.engine = engine
        self.window = window

    async def open(self) -> None:
        self.desk = Desk(self.engine, self.window, 50)
        self.desk.engine_runs()
        self.window.show()
        self.window.tabs.setCurrentIndex(1)
        self.window.findChild(QTabWidget, "trading.lists").setCurrentIndex(1)
        self.table = self.window.findChild(TableView, "trading.orders")
        await until(lambda: self.table.select_where(lambda order: True))

    async def press(self, key: Qt.Key) -> None:
        self.window.activateWindow()
        self.table.setFocus()
        await until(self.table.hasFocus)
        QTest.keyClick(self.table, key)

    def find(self, kind: type[Any], name: str) -> Any:
        return self.window.findChild(kind, name)

    def symbols(self) -> list[str]:
        return [self.table.filtered.index(row, 1).data() for row in range(self.table.filtered.rowCount())]


@pytest.fixture
def shown(qapp: QApplication, tmp_path: Path) -> Iterator[Shown]:
    window = Window("demo", QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
    yield Shown(ScriptedEngine(), window)
    window.leave()


def add(engine: ScriptedEngine, key: str, **changes: Any) -> None:
    """As the first order, but for what differs."""
    known = engine.views.orders.get("demo-manual-1")
    assert known is not None
    engine.views.orders.put(key, msgspec.structs.replace(known, client_order_id=key, **changes))


def test_exits_stand_below_their_parent_also_when_the_list_is_sorted(run: Run, shown: Shown) -> None:
    engine = shown.engine
    add(engine, "z", symbol="ZM")
    add(engine, "stop", symbol="SPY", parent="demo-manual-1", role="stop loss", type="stop", stop_price=80.0)

    async def main() -> None:
        await shown.open()
        assert shown.symbols() == ["ZM", "SPY", "└ SPY"]
        # An exit that comes later finds its place, too; a newer order stands above.
        add(engine, "profit", symbol="SPY", parent="demo-manual-1", role="take profit")
        add(engine, "a", symbol="AA")
        await until(lambda: len(shown.symbols()) == 5)
        assert shown.symbols() == ["AA", "ZM", "SPY", "└ SPY", "└ SPY"]
        shown.table.sortByColumn(1, Qt.SortOrder.DescendingOrder)
        assert shown.symbols() == ["ZM", "SPY", "└ SPY", "└ SPY", "AA"]
        await shown.desk.close()

    run(main())


def test_a_key_opens_the_change_and_only_what_was_changed_is_sent(run: Run, shown: Shown) -> None:
    async def main() -> None:
        await shown.open()
        await shown.press(Qt.Key.Key_F2)
        limit = shown.find(QLineEdit, "change.limit_price")
        assert (limit.text(), shown.find(QLineEdit, "change.quantity").text()) == ("90", "5")
        assert shown.find(QLineEdit, "change.stop_price") is None
        send = shown.find(QPushButton, "change.send")
        assert not send.isEnabled(), "nothing has changed"
        limit.setText("91.5")
        QTest.keyClick(limit, Qt.Key.Key_Return)
        QTest.keyClick(limit, Qt.Key.Key_Return)
        await until(lambda: shown.engine.asked)
        await shown.desk.close()

    run(main())
    assert shown.engine.asked == [("replace_order", "demo-manual-1", OrderChanges(limit_price=Decimal("91.5")))]


def test_what_risk_refuses_is_said_and_not_sent(run: Run, shown: Shown) -> None:
    async def main() -> None:
        await shown.open()
        shown.engine.verdict = Verdict(allowed=False, rule="x", message="Too much.", remedy="Take less.")
        shown.find(QPushButton, "trading.change").click()
        shown.find(QLineEdit, "change.quantity").setText("5000")
        assert "Too much. Take less." in shown.find(QDialog, "change.dialog")._verdict.text()
        shown.find(QDialog, "change.dialog").accept()
        await shown.desk.close()

    run(main())
    assert shown.engine.asked == []


def test_the_delete_key_cancels(run: Run, shown: Shown) -> None:
    async def main() -> None:
        await shown.open()
        await shown.press(Qt.Key.Key_Delete)
        await until(lambda: shown.engine.asked)
        await shown.desk.close()

    run(main())
    assert shown.engine.asked == [("cancel_order", "demo-manual-1")]


def test_an_order_of_somebody_else_is_adopted_into_the_chosen_sleeve(run: Run, shown: Shown) -> None:
    add(shown.engine, "foreign", foreign=True, sleeve="external")

    async def main() -> None:
        await shown.open()
        assert shown.table.select_where(lambda order: order.foreign)
        dict(shown.table.menu_actions)["Adopt into sleeve…"](shown.table.rows())
        shown.find(QComboBox, "adopt.sleeve").setCurrentText("sma-cross")
        shown.find(QDialog, "adopt.dialog").accept()
        await until(lambda: shown.engine.asked)
        await shown.desk.close()

    run(main())
    assert shown.engine.asked == [("adopt_order", "foreign", "sma-cross")]


def test_an_emergency_stop_that_is_not_confirmed_is_followed_to_its_end(run: Run, shown: Shown) -> None:
    def report(text: str, final: bool) -> EmergencyReport:
        return EmergencyReport(
            flat=final, text=text, steps=[], open_orders=[], open_positions=[], milliseconds=1.0, final=final
        )

    async def begin(reason: str, flatten: bool = True) -> EmergencyReport:
        return report("NOT CONFIRMED yet", final=False)

    shown.engine.emergency_stop = begin  # type: ignore[method-assign]
    shown.engine.emergency_report = lambda: report("FLAT CONFIRMED", final=True)  # type: ignore[method-assign]

    async def main() -> None:
        await shown.open()
        shown.window.stop_button.held.emit()
        dialog = shown.find(QDialog, "emergency.dialog")
        await until(lambda: "go on being sent" in dialog._text.text())
        await until(lambda: dialog._text.text() == "FLAT CONFIRMED")
        await shown.desk.close()

    run(main())
