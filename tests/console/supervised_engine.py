"""The window over real processes: an EngineControl whose supervisor is the engine's own, and the loop it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import qasync
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from console.app import THREADS
from console.collector import Collector
from console.theme import apply_theme, load_fonts
from engine.control import LogLine
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow, ProcessSample
from tests.console.scripted_engine import ScriptedEngine

T = TypeVar("T")


class SupervisedEngine(ScriptedEngine):
    """Its processes are real: their table, figures, logs and commands."""

    def __init__(self, supervisor: Supervisor, table: Table[ProcessRow]) -> None:
        super().__init__(filled=False)
        self.views.processes = table
        self._supervisor = supervisor

    def process_history(self, name: str) -> list[ProcessSample]:
        return self._supervisor.history(name)

    def process_log(self, name: str, after: int = 0) -> list[LogLine]:
        return self._supervisor.log(name, after)

    async def start_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.start(names)

    async def stop_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.stop(names)

    async def restart_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.restart(names)


def run_on_qt(work: Coroutine[Any, Any, T]) -> T:
    """As console/app.py runs the console: its loop, its threads, its collector. Once in a process."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    collector = Collector(app)
    load_fonts()
    apply_theme(app, "dark")
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop, ThreadPoolExecutor(THREADS) as pool:
        loop.set_default_executor(pool)
        loop.call_soon(collector.spare_the_living)
        found: T = loop.run_until_complete(work)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return found
