"""The Paper menu: from a click to the fault that the exchange is told, and the sign that one is armed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QDialog, QDoubleSpinBox, QLabel, QSpinBox, QWidget

from console.desk import Desk
from console.paper import ENTRIES
from console.theme import apply_theme, load_fonts
from console.window import Window
from engine.control import ExchangeFault
from engine.exchange.server.faults import read_fault
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until

Opener = Callable[[str], Window]


@pytest.fixture
def open_window(qapp: QApplication, tmp_path: Path) -> Iterator[Opener]:
    load_fonts()
    apply_theme(qapp, "dark")
    opened: list[Window] = []

    def make(environment: str) -> Window:
        window = Window(environment, QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat))
        window.show()
        opened.append(window)
        return window

    yield make
    for window in opened:
        window.leave()


def dialog_of(window: Window) -> QDialog:
    return next(found for found in window.findChildren(QDialog, "fault.dialog") if found.isVisible())


def fill(dialog: QDialog, kind: type[Any], name: str) -> Any:
    found = dialog.findChild(kind, name)
    assert isinstance(found, QWidget)
    return found


def choose(window: Window, name: str) -> None:
    action = window.findChild(QAction, f"paper.{name}")
    assert action is not None, name
    action.trigger()


def test_what_the_dialog_asks_is_what_the_exchange_is_told(run: Run, open_window: Opener) -> None:
    engine, window = ScriptedEngine(), open_window("demo")

    async def main() -> None:
        desk = Desk(engine, window, 20)
        choose(window, "http_504")
        dialog = dialog_of(window)
        fill(dialog, QSpinBox, "fault.count").setValue(3)
        fill(dialog, QComboBox, "fault.which").setCurrentText("cancels")
        fill(dialog, QCheckBox, "fault.after").setChecked(False)
        dialog.accept()
        await until(lambda: engine.asked)
        await desk.close()

    run(main())
    told = ExchangeFault(kind="http_status", status=504, count=3, method="DELETE", path="/v2/orders")
    assert engine.asked == [("fault", told)]


def test_a_dialog_that_is_left_tells_nothing(run: Run, open_window: Opener) -> None:
    engine, window = ScriptedEngine(), open_window("demo")

    async def main() -> None:
        desk = Desk(engine, window, 20)
        choose(window, "read_lag")
        dialog = dialog_of(window)
        fill(dialog, QDoubleSpinBox, "fault.seconds").setValue(7)
        dialog.reject()
        choose(window, "clear")
        await until(lambda: engine.asked)
        await desk.close()

    run(main())
    assert engine.asked == [("fault", ExchangeFault(kind="clear"))]


def test_every_entry_is_a_fault_that_the_exchange_knows() -> None:

    for entry in ENTRIES:
        assert read_fault(msgspec.json.encode(entry.fault)).kind == entry.fault.kind


@pytest.mark.parametrize("environment", ["paper", "live"])
def test_alpaca_cannot_be_told_to_fail(run: Run, open_window: Opener, environment: str) -> None:
    window = open_window(environment)

    async def main() -> None:
        desk = Desk(ScriptedEngine(), window, 20)
        assert not [found for found in window.findChildren(QAction) if found.objectName().startswith("paper.")]
        assert "&Paper" not in [found.text() for found in window.menuBar().actions()]
        await desk.close()

    run(main())


def test_the_status_bar_says_so_while_a_fault_is_armed(run: Run, open_window: Opener) -> None:
    engine, window = ScriptedEngine(), open_window("demo")

    async def main() -> None:
        desk = Desk(engine, window, 20)
        desk.engine_runs()
        sign = window.findChild(QLabel, "status.faults")
        assert sign is not None and not sign.isVisible()
        engine.views.summary.armed_faults = ("hang, 1 to go", "read lag until cleared")
        desk.show_summary()
        assert sign.isVisible() and "2 faults armed" in sign.text() and "read lag" in sign.toolTip()
        engine.views.summary.armed_faults = ()
        desk.show_summary()
        assert not sign.isVisible()
        await desk.close()

    run(main())
