"""The line of one coroutine handler: it sees its events one by one and in order, and delays nobody else."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any

from engine.bus.failures import Failure, Failures
from engine.bus.kinds import Kind
from engine.bus.letters import Subscription
from engine.bus.policy import Overflow
from engine.domain.events import Event


class Line:
    """Bounded by the kind's policy: a slow handler of quotes skips to the newest, one of orders gets them all."""

    def __init__(self, kind: Kind, capacity: int, failures: Failures) -> None:
        self.subscription: Subscription
        self._kind = kind
        self._capacity = capacity
        self._failures = failures
        self._line: deque[Event] = deque()
        self._newest: dict[Any, Event] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def put(self, event: Event) -> None:
        if self._has_room(event):
            self._line.append(event)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def close(self, timeout: float) -> None:
        """Try each once more, for so many seconds together; what is left is dead."""
        self._closing.set()
        if self._task is None:
            return
        await asyncio.wait({self._task}, timeout=timeout)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=timeout)
        while self._line:
            self._bury(self._next(), TimeoutError("the bus closed before it was handled"), 0)

    def _has_room(self, event: Event) -> bool:
        kind = self._kind
        if kind.key is not None:
            key = kind.key(event)
            waits = key in self._newest
            self._newest[key] = event
            self.subscription.watch.skipped += waits
            return not waits
        if kind.overflow is Overflow.KEEP or len(self._line) < self._capacity:
            return True
        self.subscription.watch.skipped += 1
        return False

    def _bury(self, event: Event, error: BaseException, attempts: int) -> None:
        self._failures.bury(Failure(self.subscription, event, error, attempts))

    def _next(self) -> Event:
        event = self._line.popleft()
        return event if self._kind.key is None else self._newest.pop(self._kind.key(event))

    async def _work(self) -> None:
        while self._line:
            event = self._next()
            try:
                await self._handle(event)
            except asyncio.CancelledError:
                self._bury(event, TimeoutError("the bus closed while it was handled"), 1)
                raise

    async def _handle(self, event: Event) -> None:
        failures = 0
        while True:
            began = time.perf_counter()
            try:
                handled: Awaitable[None] = self.subscription.handler(event)
                await handled
                return
            except Exception as error:
                failures += 1
                pause = None if self._closing.is_set() else self.subscription.pause(failures)
                if pause is None:
                    self._bury(event, error, failures)
                    return
            finally:
                self.subscription.watch.add(time.perf_counter() - began)
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        self._failures.count_retry()
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
