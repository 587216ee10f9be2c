"""`get_bars`: closed bars of a stretch of time from whichever store has them, the quickest first; each gap filled once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from engine.domain.errors import PaddockError, UnavailableError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.domain.spans import Span, joined, within, without
from engine.market.cache import LayerFigures
from engine.market.history.chunks import ChunkCache
from engine.market.history.sources import BarKeeper, BarSource, Found

log = logging.getLogger(__name__)

SETTLING = 120 * NANOSECONDS
"""A bar is kept when it ended so long ago: the venue may amend it until then."""


class Stamp(msgspec.Struct, frozen=True):
    """Who answered for this stretch: memory, cache, database, lake or broker."""

    span: Span
    source: str


class BarsFound(msgspec.Struct, frozen=True):
    """`bars` are closed and oldest first. `missing` are stretches that no source could answer for, and `problems` why."""

    bars: list[Bar]
    stamps: list[Stamp]
    missing: list[Span] = []
    problems: list[str] = []


class BarHistory:
    """`sources` from the quickest to the slowest, behind the cache; `keepers` are told what slower ones found.

    A keeper that cannot write is logged, or raises what it raised where `strict`.
    """

    def __init__(
        self,
        cache: ChunkCache,
        sources: Sequence[BarSource],
        keepers: Sequence[BarKeeper] = (),
        *,
        strict: bool = False,
    ) -> None:
        self._strict = strict
        self._cache = cache
        self._sources = sources
        self._keepers = keepers
        self._flights: dict[tuple[str, Timeframe, int, int], asyncio.Task[BarsFound]] = {}

    @property
    def figures(self) -> list[LayerFigures]:
        """How often each layer of the cache had what was looked for."""
        return self._cache.figures

    async def get_bars(self, symbol: str, timeframe: Timeframe, start: int, end: int, now: int) -> BarsFound:
        """Bars with start <= timestamp < end that have ended by `now`, the venue's time; int nanoseconds UTC.

        Who asks for what is being asked for already gets the same answer. Raises UnavailableError when nothing was
        found and a source could not be asked; a part is returned with what is missing.
        """
        end = min(end, now - timeframe.nanoseconds + 1)
        key = (symbol, timeframe, start, end)
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._search(symbol, timeframe, Span(start, end), now))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        # Shielded, so that one of several callers may give up.
        found = await asyncio.shield(flight)
        if found.problems and not found.bars:
            raise UnavailableError(
                f"Bars of {symbol} cannot be read: {found.problems[-1]}", "Check the network and the data sources."
            )
        return found

    async def _search(self, symbol: str, timeframe: Timeframe, span: Span, now: int) -> BarsFound:
        search = _Search(span)
        await self._cache.read_into(search.add, symbol, timeframe, search.wanted)
        if search.wanted:
            async with self._cache.guard(symbol, timeframe):
                # Somebody may have found it while we waited.
                await self._cache.read_into(search.add, symbol, timeframe, search.wanted)
                await self._ask_sources(search, symbol, timeframe, now)
        return search.result()

    async def _ask_sources(self, search: _Search, symbol: str, timeframe: Timeframe, now: int) -> None:
        settled = Span(0, now - SETTLING - timeframe.nanoseconds)  # what starts in it has ended
        for source in self._sources:
            if not search.wanted:
                return
            try:
                found = await source.read(symbol, timeframe, search.wanted)
            except PaddockError as error:
                search.problems.append(error.message)
                continue
            new = search.add(found, source.name)
            kept = Found([bar for bar in new if bar.timestamp < settled.end], within(found.covered, [settled]))
            if kept.covered:
                await self._cache.keep(symbol, timeframe, kept, now)
                await self._tell_keepers(source, symbol, timeframe, kept, now)

    async def _tell_keepers(self, source: BarSource, symbol: str, timeframe: Timeframe, kept: Found, now: int) -> None:
        for keeper in self._keepers:
            if source.name not in keeper.keeps_from:
                continue
            try:
                await keeper.keep(symbol, timeframe, kept, now)
            except PaddockError as error:
                if self._strict:
                    raise
                log.warning("%s", error.message, extra={"remedy": error.remedy, "category": "data"})


class _Search:
    """What has been found of one stretch, and what is still wanted."""

    def __init__(self, span: Span) -> None:
        self.wanted = joined([span])
        self.problems: list[str] = []
        self._bars: dict[int, Bar] = {}
        self._stamps: list[Stamp] = []

    def add(self, found: Found, source: str) -> list[Bar]:
        """Take what was wanted; the rest of what a source gave is left. Returns the bars taken."""
        taken = [bar for bar in found.bars if any(span.start <= bar.timestamp < span.end for span in self.wanted)]
        for bar in taken:
            known = self._bars.get(bar.timestamp)
            if known is None or bar.revision >= known.revision:
                self._bars[bar.timestamp] = bar
        self._stamps += [Stamp(span, source) for span in within(found.covered, self.wanted)]
        self.wanted = without(self.wanted, found.covered)
        return taken

    def result(self) -> BarsFound:
        bars = [self._bars[at] for at in sorted(self._bars)]
        stamps = sorted(self._stamps, key=lambda stamp: stamp.span)
        return BarsFound(bars, stamps, self.wanted, self.problems if self.wanted else [])
