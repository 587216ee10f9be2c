"""Reads bars from the market database while the recorder writes: what history asks before it asks the broker."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Protocol

from engine.domain.errors import UnavailableError
from engine.domain.market import Bar, Timeframe
from engine.storage.market.address import MarketAddress

COLUMNS = "timestamp, open, high, low, close, volume, trade_count, vwap, revision"
MOST = 1_000_000
"""Bars in one answer: half a year of seconds."""


class BarReader(Protocol):
    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> list[Bar]:
        """Closed bars with start <= timestamp < end (int nanoseconds UTC), oldest first, the newest revision of each.

        Raises UnavailableError when the database is away or the recorder never ran.
        """
        ...

    async def close(self) -> None: ...


def bar_reader(address: MarketAddress) -> BarReader:
    """Connects when it is first asked."""
    if not address.is_postgres:
        return _SqliteReader(address.path)
    from engine.storage.market.postgres_reading import PostgresReader

    return PostgresReader(address)


def query(*marks: str) -> str:
    """`marks` stand for symbol, timeframe, start and end."""
    symbol, timeframe, start, end = marks
    return (
        f"SELECT {COLUMNS} FROM realtime_candles WHERE symbol = {symbol} AND timeframe = {timeframe}"
        f" AND timestamp >= {start} AND timestamp < {end} ORDER BY timestamp LIMIT {MOST}"
    )


class _SqliteReader:
    def __init__(self, path: str) -> None:
        self._path = Path(path)

    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> list[Bar]:
        return await asyncio.to_thread(self._bars, symbol, timeframe, start, end)

    def _bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> list[Bar]:
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
                found = database.execute(query("?", "?", "?", "?"), (symbol, timeframe.value, start, end))
                return [as_bar(symbol, timeframe, row) for row in found]
        except sqlite3.Error as error:
            raise UnavailableError(
                f"The market database {self._path} cannot be read: {error}.", "Start the recorder under Processes."
            ) from error

    async def close(self) -> None:
        """Each question opened and closed the file."""


def as_bar(symbol: str, timeframe: Timeframe, row: tuple[object, ...]) -> Bar:
    """`row` in the order of COLUMNS."""
    timestamp, opened, high, low, close, volume, count, vwap, revision = row
    return Bar(
        symbol, timeframe, timestamp, opened, high, low, close, volume, count, vwap, True, revision,  # type: ignore[arg-type]
    )  # fmt: skip
