"""What a store of bars offers to `BarHistory`: bars of some stretches of time, and for which of these it vouches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Protocol

import msgspec

from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.domain.spans import Span, bridged, joined, within
from engine.market.venue import VenueData
from engine.storage.lake.lake import Lake
from engine.storage.lake.parts import Row

BRIDGE = 60
"""Bars: gaps that are nearer to each other are asked for in one request."""
DAY = 86_400 * NANOSECONDS


class Found(msgspec.Struct, frozen=True):
    """`bars` are closed and oldest first. Within `covered` nothing is missing: where there is no bar, nothing traded."""

    bars: Sequence[Bar] = ()
    covered: Sequence[Span] = ()


class BarSource(Protocol):
    """One place where bars may be."""

    @property
    def name(self) -> str:
        """The stamp of what comes from it: database, lake or broker."""
        ...

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        """Raises PaddockError when it cannot be asked; the next source is asked then."""
        ...


class BarKeeper(Protocol):
    """A store that keeps what a slower one has found."""

    @property
    def keeps_from(self) -> frozenset[str]:
        """Names of the sources whose bars it keeps."""
        ...

    async def keep(self, symbol: str, timeframe: Timeframe, found: Found, now: int) -> None:
        """Raises PaddockError when it cannot be written."""
        ...


class BarTable(Protocol):
    """The market database, as far as history reads it."""

    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> Sequence[Bar]:
        """Closed bars with start <= timestamp < end (int nanoseconds UTC), the newest revision of each, oldest first.

        Raises PaddockError when the database cannot be read.
        """
        ...


class DatabaseSource:
    """What the recorder wrote. It vouches for bars and for nothing between them: it may not have run all the time."""

    name: ClassVar[str] = "database"

    def __init__(self, table: BarTable) -> None:
        self._table = table

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        bars: list[Bar] = []
        for span in spans:
            bars += await self._table.bars(symbol, timeframe, span.start, span.end)
        length = timeframe.nanoseconds
        return Found(bars, joined(Span(bar.timestamp, bar.timestamp + length) for bar in bars))


class LakeSource:
    """Reads the lake, and writes to it what the broker told of days that are over."""

    name: ClassVar[str] = "lake"
    keeps_from: ClassVar[frozenset[str]] = frozenset({"broker"})

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        rows, covered = await asyncio.to_thread(self._lake.read, symbol, timeframe, spans)
        return Found([row.bar for row in rows], covered)

    async def keep(self, symbol: str, timeframe: Timeframe, found: Found, now: int) -> None:
        today = now // DAY * DAY
        covered = within(found.covered, [Span(0, today)])
        rows = [Row(bar, "broker") for bar in found.bars if bar.timestamp < today]
        if covered:
            await asyncio.to_thread(self._lake.write, symbol, timeframe, rows, covered)


class BrokerSource:
    """The broker's own history, which is whole for what it serves; it has no bars of seconds."""

    name: ClassVar[str] = "broker"

    def __init__(self, rest: VenueData) -> None:
        self._rest = rest

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        if timeframe is Timeframe.SECOND_1:
            return Found()
        bars: list[Bar] = []
        asked = bridged(spans, BRIDGE * timeframe.nanoseconds)
        for span in asked:
            bars += await self._rest.bars_between(symbol, timeframe, span.start, span.end)
        return Found(bars, asked)
