"""The bus inside the engine: typed events to handlers, urgent ones first, in bounded slices of the event loop.

Handlers run one after another on the loop that called `start`. A handler that fails is reported to `on_error` and
harms neither the event nor the other handlers. Each coroutine handler has a line of its own, so that a slow one
delays nobody else and still sees its events in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from engine.domain.events import Event, Priority

E = TypeVar("E", bound=Event)
ErrorHandler = Callable[[Event, BaseException], None]

SLICE = 0.004
"""Seconds of handlers in a row before the loop gets its turn: a window must paint between them."""
CHECK_EVERY = 16


class Bus:
    """`publish` never blocks and never loses an urgent or high event; others are dropped, counted, beyond `capacity`."""

    def __init__(self, on_error: ErrorHandler, capacity: int = 50_000) -> None:
        self._on_error = on_error
        self._capacity = capacity
        self._queues: tuple[deque[Event], ...] = tuple(deque() for _ in Priority)
        self._handlers: dict[type[Event], list[Callable[[Any], None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._workers: list[_AsyncHandler] = []
        self.published = 0
        self.dropped = 0

    def subscribe(self, kind: type[E], handler: Callable[[E], None]) -> None:
        """`handler` sees every event of exactly this type, in order of publication within one priority."""
        self._handlers.setdefault(kind, []).append(handler)

    def subscribe_async(self, kind: type[E], handler: Callable[[E], Awaitable[None]]) -> None:
        """As `subscribe`, for a coroutine function; its events wait in line while it works on one."""
        worker = _AsyncHandler(handler, self._on_error)
        self._workers.append(worker)
        self.subscribe(kind, worker.put)

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._schedule()

    def publish(self, event: Event, priority: Priority = Priority.NORMAL) -> None:
        queue = self._queues[priority]
        if priority >= Priority.NORMAL and len(queue) >= self._capacity:
            self.dropped += 1
            return
        queue.append(event)
        self.published += 1
        self._schedule()

    async def close(self) -> None:
        """Handle what is queued, wait for coroutine handlers, then stop."""
        while self.backlog:
            self._run_slice()
        for worker in self._workers:
            await worker.close()
        self._loop = None

    @property
    def backlog(self) -> int:
        return sum(len(queue) for queue in self._queues)

    def _schedule(self) -> None:
        if self._loop is not None and not self._scheduled and self.backlog:
            self._scheduled = True
            self._loop.call_soon(self._run_slice)

    def _run_slice(self) -> None:
        self._scheduled = False
        loop = self._loop
        deadline = loop.time() + SLICE if loop is not None else None
        handled = 0
        while (event := self._next()) is not None:
            self._dispatch(event)
            handled += 1
            if deadline is not None and handled % CHECK_EVERY == 0 and loop is not None and loop.time() > deadline:
                break
        self._schedule()

    def _next(self) -> Event | None:
        for queue in self._queues:
            if queue:
                return queue.popleft()
        return None

    def _dispatch(self, event: Event) -> None:
        for handler in self._handlers.get(type(event), ()):
            try:
                handler(event)
            except Exception as error:
                self._on_error(event, error)


class _AsyncHandler:
    """One coroutine handler with its own line of events, worked off by a task that lives while there are some."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], on_error: ErrorHandler) -> None:
        self._handler = handler
        self._on_error = on_error
        self._line: deque[Event] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, event: Event) -> None:
        self._line.append(event)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        while self._line:
            event = self._line.popleft()
            try:
                await self._handler(event)
            except Exception as error:
                self._on_error(event, error)
