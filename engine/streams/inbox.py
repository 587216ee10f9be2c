"""From the threads that read to the event loop: bounded, whole batches, one wake-up for each."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable

from engine.streams.base import Delivery, Receiver, Token

QUEUE_LIMIT = 50_000
"""Deliveries that wait for a slow reader before the oldest are dropped, or, in a group, no more are fetched."""

Receipt = tuple[Receiver, Token]


class Inbox:
    """Must be created while the event loop runs. `put` may be called from any thread."""

    def __init__(self, keeps: bool) -> None:
        """`keeps`: nothing is dropped; the reader asks `has_room` before it fetches."""
        self.dropped = 0
        self._keeps = keeps
        self._waiting: deque[Delivery] = deque()
        self._receipts: list[Receipt] = []
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._wake = asyncio.Event()
        self._closed = False

    def has_room(self) -> bool:
        return len(self._waiting) < QUEUE_LIMIT

    def put(self, deliveries: Iterable[Delivery], receipt: Receipt | None = None) -> None:
        with self._lock:
            asleep = not self._waiting
            self._waiting.extend(deliveries)
            if receipt is not None:
                self._receipts.append(receipt)
            while not self._keeps and len(self._waiting) > QUEUE_LIMIT:
                self._waiting.popleft()
                self.dropped += 1
        if asleep:
            self._ring()

    async def batches(self) -> AsyncIterator[tuple[list[Delivery], list[Receipt]]]:
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                batch, receipts = list(self._waiting), self._receipts
                self._waiting.clear()
                self._receipts = []
            if batch or receipts:
                yield batch, receipts

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def _ring(self) -> None:
        if threading.get_ident() == self._home:
            self._wake.set()
            return
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # the loop is closed; nobody reads any more
            return
