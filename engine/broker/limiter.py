"""Stay below the venue's request limit: cancels before orders, orders before reads."""

from __future__ import annotations

import asyncio
from enum import Enum

from engine.clock import Clock

LONGEST_SLEEP = 0.25
"""Seconds; then it looks again, since others take tokens meanwhile."""


class Use(Enum):
    """What a request is for. The value is the share of the bucket that it leaves to those above it."""

    CANCEL = 0.0
    ORDER = 0.2
    READ = 0.3


class RateLimiter:
    """A token bucket. Alpaca allows 200 requests a minute and account.

    Orders and reads wait for a token, each kind in a line of its own; cancels never wait, even with none left, because
    the venue's own count is the one that matters and it may be kinder than ours.
    """

    def __init__(self, clock: Clock, per_minute: float = 200.0) -> None:
        self._clock = clock
        self._capacity = per_minute
        self._rate = per_minute / 60
        self._tokens = per_minute
        self._at = clock.monotonic()
        self._lines = {use: asyncio.Lock() for use in Use}

    async def acquire(self, use: Use) -> None:
        if use is Use.CANCEL:
            self._refill()
            self._tokens = max(self._tokens - 1, 0.0)
            return
        async with self._lines[use]:
            while (missing := self._missing(use)) > 0:  # noqa: ASYNC110  time, not an event, brings tokens
                await asyncio.sleep(min(missing / self._rate, LONGEST_SLEEP))
            self._tokens -= 1

    def exceeded(self) -> None:
        """The venue says that its limit is reached: from here on, reads get only as much as it gives back."""
        self._refill()
        self._tokens = min(self._tokens, self._capacity * Use.READ.value)

    @property
    def used(self) -> float:
        """Share of the limit in use, 0 to 1."""
        self._refill()
        return 1 - self._tokens / self._capacity

    def _missing(self, use: Use) -> float:
        self._refill()
        return self._capacity * use.value + 1 - self._tokens

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
