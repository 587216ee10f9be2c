"""A seeded run's own time: an event loop that jumps to what is due next, and a clock that can be set wrong."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from engine.domain.market import NANOSECONDS

EPOCH = 1_763_992_800
"""Monday, 2025-11-24 14:00 UTC: half an hour before the opening, were it not for the market that never closes."""


TURN = 1e-6
"""Seconds that one turn of the loop takes, so that whoever waits for time by asking again gets there."""


class StuckError(RuntimeError):
    """Everybody waits for somebody else, for ever."""


class _Selector(selectors.BaseSelector):
    """Never sleeps: where the loop would wait, time goes on instead. No file is ever ready, because none is watched."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError("nothing is scheduled and nobody is ready")
        self.elapsed += TURN + max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return {}

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        raise KeyError(fileobj)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Deterministic, because nothing outside of it, such as a thread or a socket, has a say."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.elapsed

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)


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
