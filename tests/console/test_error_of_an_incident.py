"""From the card of a process's end to what is known of it under Errors & Alerts."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QTabWidget

from console.desk import Desk
from console.widgets.tree import TreeView
from console.window import Window
from engine.views import ErrorRow
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


@pytest.mark.parametrize("state", ["open", "resolved"])
def test_a_click_on_the_card_chooses_its_error(run: Run, window: Window, state: str) -> None:
    engine = ScriptedEngine()
    known = engine.views.errors.get("e1")
    incident = engine.views.incidents.get("i1")
    assert known is not None and incident is not None
    crash: ErrorRow = msgspec.structs.replace(known, fingerprint="e2", message="It crashed.", state=state)
    engine.views.errors.put("e2", crash)
    engine.views.incidents.put("i1", msgspec.structs.replace(incident, fingerprint="e2"))

    async def main() -> None:
        desk = Desk(engine, window, 20)
        desk.open("processes")
        tree, detail = window.findChild(TreeView, "processes.table"), window.findChild(QTabWidget, "processes.detail")
        assert tree is not None and detail is not None
        desk.panels[2].refresh()
        tree.select_where(lambda process: process.name == "sma-cross")
        detail.setCurrentIndex(1)
        desk.panels[2].refresh()
        button = window.findChild(QPushButton, "processes.incident.error")
        assert button is not None
        await until(lambda: button.height() > 0)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        assert desk.panels[window.tabs.currentIndex()].name == "errors"
        message = window.findChild(QLabel, "errors.message")
        assert message is not None and message.text() == "It crashed."
        await desk.close()

    run(main())
