"""Time and identity, injected. Engine code asks a Clock and an IdFactory, so a whole run can be replayed from its seed."""

from __future__ import annotations

import random
import secrets
import time
from typing import Protocol

from engine.domain.market import NANOSECONDS

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [one + two for one in _CROCKFORD for two in _CROCKFORD]
"""Two characters at a time: an id is made for every event, and this takes a third of the time."""
_SHIFTS = range(120, -1, -10)


class Clock(Protocol):
    def now(self) -> int:
        """Wall time, int nanoseconds UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards; the only time to measure durations with."""
        ...


class SystemClock:
    def now(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to; for tests and for the backtest."""

    def __init__(self, now: int = 0) -> None:
        self._now = now
        self._start = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / NANOSECONDS

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * NANOSECONDS)

    def set(self, now: int) -> None:
        self._now = now


class IdFactory:
    """Makes ULIDs (https://github.com/ulid/spec): 26 characters, sortable by time, unique within the factory.

    Two ids of the same millisecond differ in the random part, which counts upwards as the specification asks.
    """

    def __init__(self, clock: Clock, seed: int | None = None) -> None:
        self._clock = clock
        self._random = random.Random(secrets.randbits(128) if seed is None else seed)
        self._last_millisecond = -1
        self._entropy = 0

    def ulid(self) -> str:
        millisecond = self._clock.now() // 1_000_000
        if millisecond > self._last_millisecond:
            self._last_millisecond = millisecond
            self._entropy = self._random.getrandbits(79)
        else:
            self._entropy += 1
        value = (self._last_millisecond << 80) | self._entropy
        return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])
