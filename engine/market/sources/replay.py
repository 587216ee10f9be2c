"""Trades recorded in Parquet, played as a source: as fast as they are read, or at a multiple of their own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS, Trade
from engine.market.batch import Batch
from engine.market.sources.base import SourceState

ROWS = 500
"""Trades of one batch."""
COLUMNS = ("timestamp", "price", "size", "exchange", "condition")


class ParquetReplay:
    """A source that ends, see `sources.base`. Files as FOLDER/SYMBOL/DAY.parquet; `speed` 0 is without pauses."""

    def __init__(self, name: str, files: Sequence[Path], speed: float = 0.0) -> None:
        self.name = name
        self.state = SourceState.DISCONNECTED
        self.error = ""
        self.symbols: set[str] = {file.parent.name for file in files}
        self.reconnects = 0
        self.conflated = 0
        self._files = list(files)
        self._speed = speed

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)

    def reconnect(self, reason: str) -> None:
        """A file is never mute."""

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Raises DataError for a file that cannot be read."""
        rows = await asyncio.to_thread(self._rows)
        self.state = SourceState.SUBSCRIBED
        yield Batch(fresh=True)
        loop = asyncio.get_running_loop()
        began, first = loop.time(), rows[0].timestamp if rows else 0
        for at in range(0, len(rows), ROWS):
            part = rows[at : at + ROWS]
            due = began + (part[-1].timestamp - first) / NANOSECONDS / self._speed if self._speed else 0.0
            await asyncio.sleep(max(due - loop.time(), 0.0))
            yield Batch(trades=[trade for trade in part if trade.symbol in self.symbols], received_at=loop.time())
        self.state = SourceState.DISCONNECTED

    def _rows(self) -> list[Trade]:
        """Of all files, in the order of their times; trades are numbered, so that none counts twice."""
        found = [trade for file in self._files for trade in _read(file)]
        found.sort(key=lambda trade: trade.timestamp)
        return found


def _read(file: Path) -> Iterable[Trade]:
    import polars as pl

    try:
        table = pl.read_parquet(file, columns=list(COLUMNS)).with_columns(pl.col("timestamp").cast(pl.Int64))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"The recording {file} cannot be read: {error}.",
            "It must be Parquet with the columns timestamp, price, size, exchange, condition.",
        ) from error
    symbol = file.parent.name
    for number, (at, price, size, exchange, condition) in enumerate(table.iter_rows(), 1):
        yield Trade(symbol, price, float(size), at, exchange or "", (condition,) if condition else (), number)
