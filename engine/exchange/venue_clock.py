"""The exchange's own time: it starts where the prices start and runs at the speed of the replay."""

from __future__ import annotations

from engine.clock import Clock
from engine.domain.market import NANOSECONDS


class VenueClock:
    """Venue now = start + elapsed x speed, measured on the monotonic clock so that it never steps back.

    `origin` is the monotonic time of `start`; now where it is None. It can be paused and moved forward.
    """

    def __init__(self, clock: Clock, start: int, speed: float = 1.0, origin: float | None = None) -> None:
        self._clock = clock
        self._start = start
        self._origin = clock.monotonic() if origin is None else origin
        self._speed = speed
        self._paused = False

    @property
    def speed(self) -> float:
        """Venue seconds in a second; 0 while it is paused."""
        return 0.0 if self._paused else self._speed

    @property
    def is_paused(self) -> bool:
        return self._paused

    def now(self) -> int:
        """Nanoseconds UTC at the venue."""
        return self._start + round((self._clock.monotonic() - self._origin) * self.speed * NANOSECONDS)

    def set_speed(self, speed: float) -> None:
        self._anchor(self.now())
        self._speed = speed

    def pause(self, paused: bool = True) -> None:
        self._anchor(self.now())
        self._paused = paused

    def jump(self, to: int) -> None:
        """Go on from `to`, unless that has been passed."""
        self._anchor(max(to, self.now()))

    def _anchor(self, at: int) -> None:
        self._start, self._origin = at, self._clock.monotonic()
