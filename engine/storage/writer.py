"""Who commits the journal's rows, and when: a thread of its own, where whoever waits at the same moment shares one commit."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from engine.storage.trail import Row

REST = 0.25
"""Seconds without work after which the quiet is used."""


class Work:
    """Rows that are committed together, and who waits for it."""

    def __init__(self, rows: list[Row], loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        self.rows = rows
        self._loop = loop
        self._future = future

    def finish(self, error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)


class Writer(Protocol):
    """Commits work in its order, at a time of its own choosing."""

    def put(self, work: Work) -> None: ...

    async def close(self) -> None:
        """Commits what is waiting first."""
        ...


class ThreadWriter:
    """One thread; whoever waits at the same moment shares one commit."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._worked = False
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        self._queue.put(work)

    async def close(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _write_all(self) -> None:
        running = True
        while running:
            try:
                item = self._queue.get(timeout=REST if self._worked else None)
            except queue.Empty:
                self._worked = False
                self._commit([])
                continue
            self._worked = True
            work = [item] if item is not None else []
            running = item is not None
            while running and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    running = False
                else:
                    work.append(item)
            if work:
                self._commit(work)


Commit = Callable[[list[Work]], None]
"""Given nothing, it may use the quiet to tidy up."""
MakeWriter = Callable[[Commit], Writer]
