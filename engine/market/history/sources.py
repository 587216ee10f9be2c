"""What a store of bars offers to `BarHistory`: bars of some stretches of time, and for which of these it vouches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from engine.domain.market import Bar, Timeframe
from engine.market.history.spans import Span


class Found(msgspec.Struct, frozen=True):
    """`bars` are closed and oldest first. Within `covered` nothing is missing: where there is no bar, nothing traded."""

    bars: Sequence[Bar] = ()
    covered: Sequence[Span] = ()


class BarSource(Protocol):
    """One place where bars may be."""

    @property
    def name(self) -> str:
        """The stamp of what comes from it: memory, cache, database, lake or broker."""
        ...

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        """Raises PaddockError when it cannot be asked; the next source is asked then."""
        ...


class BarKeeper(BarSource, Protocol):
    """A source that keeps what a slower one has found."""

    async def keep(self, symbol: str, timeframe: Timeframe, found: Found) -> None:
        """Raises PaddockError when it cannot be written."""
        ...


class BarTable(Protocol):
    """The market database, as far as history reads it."""

    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> Sequence[Bar]:
        """Closed bars with start <= timestamp < end (int nanoseconds UTC), the newest revision of each, oldest first.

        Raises PaddockError when the database cannot be read.
        """
        ...
