"""A seeded run's own time: an event loop that jumps to what is due next, and a clock that can be set wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from heapq import heappop, heappush
from typing import Any
from weakref import WeakSet

from engine.domain.market import NANOSECONDS

EPOCH = 1_763_992_800
"""Monday, 2025-11-24 14:00 UTC: half an hour before the opening, were it not for the market that never closes."""


TURN = 1e-6
"""Seconds that one turn of the loop takes, so that whoever waits for time by asking again gets there."""


class StuckError(RuntimeError):
    """Everybody waits for somebody else, for ever."""


class _Handle:
    """What asyncio asks of a handle of its own; one is made for every callback, so it is no more than that."""

    __slots__ = ("_when", "args", "callback", "context", "is_cancelled")

    def __init__(self, when: float, callback: Callable[..., Any], args: tuple[Any, ...], context: Context) -> None:
        self._when = when
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.is_cancelled = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.is_cancelled


class VirtualLoop(asyncio.BaseEventLoop):
    """Deterministic, because nothing outside of it, such as a thread or a socket, has a say. Where another loop would
    wait, time goes on instead; what is due at one instant runs in the order in which it was asked for.

    `failures` are the errors that callbacks raised, for which asyncio only has a line in the log.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[BaseException] = []
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        """This loop's; asyncio's own set has those of all days before, until the garbage is collected."""
        self._elapsed = 0.0
        self._due: deque[_Handle] = deque()
        self._later: list[tuple[float, int, _Handle]] = []
        self._asked = 0

    def create_task(self, coro: Any, *, name: Any = None, context: Context | None = None) -> asyncio.Task[Any]:
        task = super().create_task(coro, name=name, context=context)
        self.tasks.add(task)
        return task

    def time(self) -> float:
        return self._elapsed

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(0.0, callback, args, context or copy_context())
        self._due.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_soon(callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._elapsed + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(when, callback, args, context or copy_context())
        self._asked += 1
        heappush(self._later, (when, self._asked, handle))
        return handle

    def _run_once(self) -> None:
        """One turn, as asyncio's loops take it: what is asked for meanwhile has to wait for the next."""
        due, later = self._due, self._later
        if not due:
            if not later:
                raise StuckError("nothing is scheduled and nobody is ready")
            self._elapsed = max(self._elapsed, later[0][0])
        self._elapsed += TURN
        while later and later[0][0] <= self._elapsed:
            due.append(heappop(later)[2])
        for _ in range(len(due)):
            handle = due.popleft()
            if not handle.is_cancelled:
                self._call(handle)

    def _call(self, handle: _Handle) -> None:
        try:
            handle.context.run(handle.callback, *handle.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self.failures.append(error)
            self.call_exception_handler({"message": f"{handle.callback!r} failed", "exception": error})


class VirtualClock:
    """`jump` sets the wall clock as a person or NTP does; the monotonic one does not notice."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.offset = 0.0

    def now(self) -> int:
        return round((EPOCH + self._loop.time() + self.offset) * NANOSECONDS)

    def monotonic(self) -> float:
        return self._loop.time()

    def jump(self, seconds: float) -> None:
        self.offset += seconds
