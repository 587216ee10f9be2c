"""Where publishers that can wait, wait for room: coroutines on the loop, and other threads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Any

RECHECK = 0.05
"""Seconds after which a thread that waits looks again by itself."""


class Room:
    """There is room in a queue that holds fewer than `capacity`. `tell` is called after every slice."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._coroutines: list[asyncio.Future[None]] = []
        self._threads = 0
        self._changed = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own_thread = 0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._own_thread = threading.get_ident()

    def close(self) -> None:
        """Nobody waits any longer."""
        self._loop = None
        self.tell()

    async def wait(self, queue: deque[Any]) -> None:
        while len(queue) >= self._capacity and self._loop is not None:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._coroutines.append(waiter)
            await waiter

    def wait_in_thread(self, queue: deque[Any]) -> bool:
        """Whether there is room now; on the loop's own thread, which must not wait, at once."""
        if threading.get_ident() == self._own_thread:
            return len(queue) < self._capacity
        with self._changed:
            self._threads += 1
            while len(queue) >= self._capacity and self._loop is not None:
                self._changed.wait(RECHECK)
            self._threads -= 1
        return len(queue) < self._capacity

    def tell(self) -> None:
        if self._coroutines:
            self._let_in()
        if self._threads:
            with self._changed:
                self._changed.notify_all()

    def _let_in(self) -> None:
        waiters, self._coroutines = self._coroutines, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
