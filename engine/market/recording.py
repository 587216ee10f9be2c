"""A folder of recorded trades as the venue of a feed: its time is that of the tape, and before its first print is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path

from engine.domain.errors import DataError
from engine.domain.market import Bar, Timeframe, Trade
from engine.market.hours import Choice, calendar_hours
from engine.market.rest import Snapshot
from engine.market.sources.replay import ParquetReplay

ALWAYS = 1 << 62
REMEDY = "Trades lie in it as trades/SYMBOL/YYYY-MM-DD.parquet."


def recorded_files(folder: Path) -> list[Path]:
    """FOLDER/trades/SYMBOL/DAY.parquet, by day. Raises DataError where there is none."""
    files = sorted((folder / "trades").glob("*/*.parquet"), key=lambda file: (file.stem, file.parent.name))
    if not files:
        raise DataError(f"{folder} has no recorded trades.", REMEDY)
    for file in files:
        _day(file)
    return files


class Recording:
    """See `market.venue.VenueData`. Its market closes when all has been played."""

    def __init__(self, files: Sequence[Path], replay: ParquetReplay) -> None:
        self._files = files
        self._symbols = {file.parent.name for file in files}
        self._replay = replay

    async def market_time(self) -> tuple[int, bool]:
        return self._replay.played_to, not self._replay.is_over

    async def sessions(self, start: int, end: int) -> list[tuple[int, int]]:
        """Of all its days, by the calendar of the New York Stock Exchange."""
        first, last = _day(self._files[0]), _day(self._files[-1])
        hours = await asyncio.to_thread(calendar_hours, first, last, Choice.REGULAR)
        return [(opens, closes) for opens, closes in hours.sessions(0, ALWAYS)]

    async def knows(self, symbol: str) -> bool:
        return symbol in self._symbols

    async def newest_bars(self, symbol: str, timeframe: Timeframe, start: int, limit: int, now: int) -> list[Bar]:
        return []

    async def bars_between(
        self, symbol: str, timeframe: Timeframe, start: int, end: int, told: Callable[[int], None] = lambda count: None
    ) -> list[Bar]:
        return []

    async def newest_trades(self, symbol: str, start: int, limit: int) -> list[Trade]:
        return []

    async def snapshots(self, symbols: Iterable[str]) -> dict[str, Snapshot]:
        return {}

    async def close(self) -> None:
        """Nothing is open."""


def _day(file: Path) -> date:
    try:
        return date.fromisoformat(file.stem)
    except ValueError:
        raise DataError(f"{file} is not named by its day.", REMEDY) from None
