"""The exchange's own time: it starts where the prices start and runs at the speed of the replay."""

from __future__ import annotations

from engine.clock import Clock
from engine.domain.market import NANOSECONDS


class VenueClock:
    """Venue now = start + elapsed x speed, measured on the monotonic clock so that it never steps.

    `origin` is the monotonic time of `start`; now where it is None.
    """

    def __init__(self, clock: Clock, start: int, speed: float = 1.0, origin: float | None = None) -> None:
        self._clock = clock
        self._start = start
        self._origin = clock.monotonic() if origin is None else origin
        self.speed = speed

    def now(self) -> int:
        """Nanoseconds UTC at the venue."""
        return self._start + round((self._clock.monotonic() - self._origin) * self.speed * NANOSECONDS)
