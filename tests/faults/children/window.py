"""The console's window over the workers that are struck, and a person at it who looks at everything and stops nothing.

On Qt's own loop, as the console runs: what paints, reads figures and follows logs has the one thread that supervises.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QTabWidget

from console.desk import Desk
from console.widgets.tree import TreeView
from console.window import Window
from engine.clock import SystemClock
from engine.domain.incidents import Incident
from engine.orchestrator.incidents import IncidentDesk
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.console.supervised_engine import SupervisedEngine

LOOKS_EVERY = 0.4
"""Seconds, on average, between two things the person does."""
FILTERS = ("", "worker", "error", "x" * 10)


class Watched:
    """`hear` shows an incident as the engine does. Made in a loop of Qt's; `close` ends all of it."""

    def __init__(self, supervisor: Supervisor, table: Table[ProcessRow], folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        control: Any = SupervisedEngine(supervisor, table)
        self._incidents = IncidentDesk(folder / "incidents.sqlite", control.views.incidents, SystemClock())
        self.window = Window("demo", QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat))
        self.window.show()
        self.desk = Desk(control, self.window, refresh_hz=15)
        self.desk.open("processes")
        self.desk.engine_runs()
        self._person: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._incidents.open()
        self._person = asyncio.create_task(self._look_around())

    def hear(self, incident: Incident) -> None:
        self._incidents.take(incident, "")

    async def close(self) -> None:
        """Raises what went wrong at the window."""
        assert self._person is not None
        self._person.cancel()
        said = (await asyncio.gather(self._person, return_exceptions=True))[0]
        await self.desk.close()
        await self._incidents.close()
        self.window.leave()
        self.window.deleteLater()
        if not isinstance(said, asyncio.CancelledError):
            raise said

    async def _look_around(self) -> None:
        tree = self._find(TreeView, "processes.table")
        pages = self._find(QTabWidget, "processes.detail")
        text = next(line for line in self.window.findChildren(QLineEdit) if line.placeholderText() == "filter")
        acts: Sequence[Callable[[], object]] = (
            lambda: self._click_a_row(tree),
            lambda: self._click_a_row(tree),
            lambda: pages.setCurrentIndex(self._chance.randrange(pages.count())),
            lambda: tree.sortByColumn(self._chance.randrange(8), Qt.SortOrder.AscendingOrder),
            lambda: text.setText(self._chance.choice(FILTERS)),
            self._turn_pages,
        )
        while True:
            await asyncio.sleep(self._chance.random() * 2 * LOOKS_EVERY)
            self._chance.choice(acts)()

    def _click_a_row(self, tree: TreeView) -> None:
        place = QPoint(60, self._chance.randrange(max(tree.viewport().height() // 2, 1)))
        QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def _turn_pages(self) -> None:
        """Mostly to what is watched."""
        other = self._chance.choice([panel.name for panel in self.desk.panels])
        self.desk.open(other if self._chance.random() < 0.3 else "processes")

    def _find(self, kind: type[Any], name: str) -> Any:
        found = self.window.findChild(kind, name)
        assert found is not None, name
        return found
