"""A child that does one thing and ends, such as a backtest: progress on the way, a result or an error at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.processes.channel import Channel
from engine.processes.events import LogRecord, ProcessEvent, Report
from engine.processes.exits import in_words
from engine.processes.specification import worker_command
from engine.processes.speech import Speech

STOP_WAIT = 2.0
PROGRESS_KEPT = 1_000


class Job:
    """`progress()` yields the fields of each report that is not the result; `result()` gives those of the result."""

    def __init__(self, name: str, clock: Clock, on_event: Callable[[ProcessEvent], None]) -> None:
        self.name = name
        self._on_event = on_event
        self._speech = Speech(name, clock, None, self._hear, lambda kind, said: None)
        self._reports: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(PROGRESS_KEPT)
        self._result: dict[str, Any] | None = None
        self._error: LogRecord | None = None
        self._cancelled = False
        self._channel: Channel | None = None
        self._done: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[bool] | None = None

    @classmethod
    async def begin(
        cls, kind: str, name: str, settings: object, clock: Clock, on_event: Callable[[ProcessEvent], None]
    ) -> Job:
        job = cls(name, clock, on_event)
        job._channel = Channel.spawn(worker_command(kind), settings, job._speech.hear, job._speech.skipped)
        job._done = asyncio.create_task(job._finish(job._channel), name=f"job-{name}")
        return job

    @property
    def done(self) -> bool:
        return self._done is not None and self._done.done()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        while (report := await self._reports.get()) is not None:
            yield report

    async def result(self) -> dict[str, Any]:
        """Raises PaddockError with the child's own words, asyncio.CancelledError after `cancel`."""
        assert self._done is not None and self._channel is not None
        await asyncio.shield(self._done)
        if self._result is not None:
            return self._result
        if self._cancelled:
            raise asyncio.CancelledError
        if self._error is not None:
            raise PaddockError(self._error.text, self._error.remedy)
        code = self._channel.exited.result()
        raise PaddockError(f"{self.name} ended without a result ({in_words(code)}).", self._speech.tail(5))

    def cancel(self) -> None:
        self._cancelled = True
        if self._channel is not None and self._ending is None:
            self._channel.end_input()
            self._ending = asyncio.create_task(self._channel.end(STOP_WAIT), name=f"end-{self.name}")

    async def close(self) -> None:
        """End it if it still runs."""
        if self._channel is not None and not self._channel.exited.done():
            self._cancelled = True
            await self._channel.end(STOP_WAIT)
        if self._done is not None:
            await self._done

    async def _finish(self, channel: Channel) -> None:
        await channel.exited
        while self._reports.full():
            self._reports.get_nowait()
        self._reports.put_nowait(None)

    def _hear(self, event: ProcessEvent) -> None:
        if isinstance(event, Report) and event.kind == "result":
            self._result = event.fields
        elif isinstance(event, Report):
            with contextlib.suppress(asyncio.QueueFull):
                self._reports.put_nowait(event.fields)
        elif isinstance(event, LogRecord):
            if event.level in {"error", "critical"}:
                self._error = event
            else:
                self._on_event(event)
