"""Work that nobody waits for: kept alive, and told as an alert when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from engine.domain.errors import PaddockError
from engine.domain.events import Severity
from engine.execution.alarms import Alarms

LAST_MOMENT = 1.0
"""Seconds that what is on the wire has to come to its end."""


class Background:
    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(self._guarded(work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_MOMENT)
        for task in self._tasks:
            task.cancel()

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except PaddockError as error:
            self._alarms.alert("trading", error.message, error.remedy, Severity.ERROR)
