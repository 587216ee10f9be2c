"""Stay below the venue's request limit, with a share that only cancels may use."""

from __future__ import annotations

import asyncio

from engine.clock import Clock


class RateLimiter:
    """A token bucket. Alpaca allows 200 requests a minute and account.

    `acquire` waits for a token; cancels may take the last `reserve` of them, and never wait behind anything else.
    """

    def __init__(self, clock: Clock, per_minute: float = 200.0, reserve: float = 0.2) -> None:
        self._clock = clock
        self._capacity = per_minute
        self._rate = per_minute / 60
        self._reserved = per_minute * reserve
        self._tokens = per_minute
        self._at = clock.monotonic()
        self._line = asyncio.Lock()

    async def acquire(self, urgent: bool = False) -> None:
        if urgent:
            self._refill()
            self._tokens = max(self._tokens - 1, 0.0)
            return
        async with self._line:
            while True:
                self._refill()
                missing = self._reserved + 1 - self._tokens
                if missing <= 0:
                    break
                await asyncio.sleep(missing / self._rate)
            self._tokens -= 1

    @property
    def used(self) -> float:
        """Share of the limit in use, 0 to 1."""
        self._refill()
        return 1 - self._tokens / self._capacity

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
        self._at = now
