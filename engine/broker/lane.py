"""One thread that makes blocking calls in their order, for a loop that must not block.

Not a ThreadPoolExecutor, because the interpreter waits at its exit for the threads of those: a venue that hangs would
hold up a console that is being closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from engine.broker.base import NotSentError

MOST_WAITING = 1_000


class Lane:
    """A call whose caller gave up before its turn is never made; one that has begun runs to its own time-out."""

    def __init__(self, name: str) -> None:
        self._calls: queue.Queue[tuple[Future[Any], Callable[[], Any]] | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._closed = False
        # Each is written by one thread alone.
        self._taken = 0
        self._ended = 0

    @property
    def busy(self) -> int:
        """How many calls wait or run, also such as nobody waits for any more."""
        return self._taken - self._ended

    async def run(self, call: Callable[[], Any]) -> Any:
        """What the call returns or raises. Raises NotSentError when the lane is closed or too many calls wait."""
        if self._closed:
            raise NotSentError("The connection to the venue is closed.", "Start the engine again.")
        if self._thread.ident is None:
            self._thread.start()
        future: Future[Any] = Future()
        try:
            self._calls.put_nowait((future, call))
        except queue.Full:
            raise NotSentError(f"{MOST_WAITING} requests wait for the venue already.", "It is tried again.") from None
        self._taken += 1
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Calls that wait are told that they were not made; the one under way is left to its time-out."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._calls.get_nowait()
                if waiting is not None and waiting[0].set_running_or_notify_cancel():
                    waiting[0].set_exception(NotSentError("The connection to the venue was closed before."))
        if self._thread.ident is not None:
            self._calls.put(None)

    def _work(self) -> None:
        while (waiting := self._calls.get()) is not None:
            _make(*waiting)
            self._ended += 1


def _make(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
