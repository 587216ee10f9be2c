"""From a click on Start or Stop in Processes until the window has painted the new state."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QObject, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from console.desk import Desk
from console.widgets.tree import TreeView
from console.window import Window
from engine.processes.states import ProcessState as S
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.console.supervised_engine import SupervisedEngine, run_on_qt
from tests.waiting import until

ROUNDS = 10
REFRESH_HZ = 15
"""The console's own."""


class Eyes(QObject):
    """What the State cell of the one process says when it is painted, as a future for the next that is another."""

    def __init__(self, tree: TreeView) -> None:
        super().__init__(tree)
        self._tree = tree
        self._known = ""
        self._changed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        tree.viewport().installEventFilter(self)

    def next_state(self) -> asyncio.Future[float]:
        """When it is seen, by time.perf_counter()."""
        self._known = self._state()
        self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint and not self._changed.done() and self._state() != self._known:
            self._changed.set_result(time.perf_counter())
        return False

    def _state(self) -> str:
        model = self._tree.source
        return str(model.index(0, 1, model.index(0, 0)).data())


def command_to_window(supervisor: Supervisor, table: Table[ProcessRow]) -> list[float]:
    """Seconds; half of them of starts, half of stops. The supervisor has one process, named worker."""
    return run_on_qt(_measure(supervisor, table))


async def _measure(supervisor: Supervisor, table: Table[ProcessRow]) -> list[float]:
    control: Any = SupervisedEngine(supervisor, table)
    found: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        window = Window("demo", QSettings(str(Path(folder) / "window.ini"), QSettings.Format.IniFormat))
        window.show()
        desk = Desk(control, window, REFRESH_HZ)
        desk.open("processes")
        desk.engine_runs()
        tree = window.findChild(TreeView, "processes.table")
        assert tree is not None
        eyes = Eyes(tree)
        await supervisor.start(["worker"])  # the console's processes have run before a person clicks
        await supervisor.wait_state("worker", [S.RUNNING], 30)
        await supervisor.stop(["worker"])
        for _ in range(ROUNDS):
            for name, state in (("processes.start", S.RUNNING), ("processes.stop", S.STOPPED)):
                button = window.findChild(QPushButton, name)
                assert button is not None
                await until(button.isEnabled)  # the panel looks once a second what can be done
                seen, clicked = eyes.next_state(), time.perf_counter()
                QTest.mouseClick(button, Qt.MouseButton.LeftButton)
                found.append(await seen - clicked)
                await supervisor.wait_state("worker", [state], 30)
        await desk.close()
        await supervisor.stop_all()
        window.leave()
        window.deleteLater()
    return found
