"""Bars in the cache: one entry for each symbol, timeframe and day (or year), with the stretches that it covers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import msgspec

from engine.clock import Clock
from engine.domain.market import Bar, Timeframe
from engine.domain.spans import Span, joined, within
from engine.market.cache import LayeredCache, LayerFigures, MemoryLayer, RedisLayer
from engine.market.history.sources import Found
from engine.storage.lake.periods import Period, period_of, periods

if TYPE_CHECKING:
    import redis.asyncio

MOST_BARS = 100_000
"""In memory; about 25 MB."""
ENDED, GROWING = 6 * 3_600.0, 60.0
"""Seconds that a period which has ended, and one that still grows, is kept."""


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    bars: list[Bar]
    covered: list[tuple[int, int]]


class ChunkCache:
    """`scope` keeps apart what must not mix: environments, and feeds such as iex and sip."""

    def __init__(self, clock: Clock, scope: str, client: redis.asyncio.Redis | None = None) -> None:
        self._scope = f"paddock:bars:{scope}:"
        memory: MemoryLayer[Chunk] = MemoryLayer(clock, lambda chunk: len(chunk.bars) + 1, MOST_BARS)
        decoder = msgspec.msgpack.Decoder(Chunk)
        shared = None if client is None else RedisLayer(client, clock, msgspec.msgpack.encode, decoder.decode)
        self._cache = LayeredCache(memory, shared)
        self._now = 0

    @property
    def figures(self) -> list[LayerFigures]:
        return self._cache.figures

    def guard(self, symbol: str, timeframe: Timeframe) -> AbstractAsyncContextManager[None]:
        return self._cache.guard(f"{self._scope}{timeframe.value}/{symbol}")

    async def read_into(
        self, add: Callable[[Found, str], object], symbol: str, timeframe: Timeframe, spans: Sequence[Span]
    ) -> None:
        """Calls `add` with what each layer has of `spans`, and the layer's name."""
        keys = [self._key(period) for period in _touched(symbol, timeframe, spans)]
        for chunk, layer in (await self._cache.get(keys, self._life)).values():
            add(Found(chunk.bars, [Span(*span) for span in chunk.covered]), layer)

    async def keep(self, symbol: str, timeframe: Timeframe, found: Found, now: int) -> None:
        """`now` is the venue's time: it tells which period has ended."""
        self._now = max(self._now, now)
        touched = _touched(symbol, timeframe, found.covered)
        known = await self._cache.get([self._key(period) for period in touched], self._life)
        chunks: dict[str, Chunk] = {}
        for period in touched:
            old = known[self._key(period)][0] if self._key(period) in known else Chunk([], [])
            chunks[self._key(period)] = _merged(period, old, found)
        await self._cache.put(chunks, self._life)

    def _key(self, period: Period) -> str:
        return self._scope + period.name

    def _life(self, key: str) -> float:
        period = period_of(key.removeprefix(self._scope))
        return ENDED if period is not None and period.end <= self._now else GROWING


def _touched(symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> list[Period]:
    found = (period for span in spans for period in periods(symbol, timeframe, span.start, span.end))
    return list(dict.fromkeys(found))


def _merged(period: Period, old: Chunk, found: Found) -> Chunk:
    bars = {bar.timestamp: bar for bar in old.bars}
    bars |= {bar.timestamp: bar for bar in found.bars if period.start <= bar.timestamp < period.end}
    covered = within([*(Span(*span) for span in old.covered), *found.covered], [Span(period.start, period.end)])
    return Chunk([bars[at] for at in sorted(bars)], [(span.start, span.end) for span in joined(covered)])
