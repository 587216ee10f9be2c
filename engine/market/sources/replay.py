"""Trades recorded in Parquet, played as a source: as fast as they are read, or at a multiple of their own time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS, Trade
from engine.market.batch import Batch
from engine.market.sources.base import SourceState

if TYPE_CHECKING:
    import polars as pl

ROWS = 500
"""Trades of one batch at most."""
SHORTEST_PAUSE = 0.02


class ParquetReplay:
    """A source that ends, see `sources.base`. Files as SYMBOL/DAY.parquet, in order of their days; `speed` 0 is without
    pauses, and nights have none. `tell_time` hears before each batch how far the tape has come, int nanoseconds UTC.
    """

    has_quotes = False

    def __init__(
        self, name: str, files: Sequence[Path], speed: float = 0.0, tell_time: Callable[[int], None] = lambda now: None
    ) -> None:
        self.name = name
        self.state = SourceState.DISCONNECTED
        self.error = ""
        self.symbols: set[str] = {file.parent.name for file in files}
        self.reconnects = 0
        self.conflated = 0
        self.shed: dict[str, int] = {}
        self.refused: frozenset[str] = frozenset()
        self.played_to = 0
        """The time of the newest print that was given; 0 = none yet."""
        self.is_over = False
        self._files = list(files)
        self._speed = speed
        self._tell_time = tell_time

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)

    def reconnect(self, reason: str) -> None:
        """A file is never mute."""

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Raises DataError for a file that cannot be read."""
        self.state = SourceState.SUBSCRIBED
        yield Batch(fresh=True)
        for _, files in itertools.groupby(self._files, key=lambda file: file.stem):
            day = await asyncio.to_thread(_read_day, list(files))
            async for batch in self._play(day):
                yield batch
        self.is_over = True
        self.state, self.error = SourceState.DISCONNECTED, "the recording has ended"

    async def _play(self, day: pl.DataFrame) -> AsyncIterator[Batch]:
        loop = asyncio.get_running_loop()
        times = day["timestamp"].to_numpy()
        began, at = loop.time(), 0
        while at < len(times):
            end = min(at + ROWS, len(times))
            if self._speed:
                reached = int(times[0]) + int((loop.time() - began) * self._speed * NANOSECONDS)
                end = min(end, int(times.searchsorted(reached, "right")))
            if end == at:
                due = began + (int(times[at]) - int(times[0])) / NANOSECONDS / self._speed
                await asyncio.sleep(max(due - loop.time(), SHORTEST_PAUSE))
                continue
            yield self._batch(day.slice(at, end - at), int(times[end - 1]), loop.time())
            at = end
            await asyncio.sleep(0)

    def _batch(self, rows: pl.DataFrame, newest: int, received_at: float) -> Batch:
        self._tell_time(newest)
        self.played_to = newest
        trades = [
            Trade(symbol, price, size, time, exchange, (condition,) if condition else (), number)
            for time, price, size, exchange, condition, number, symbol in rows.iter_rows()
            if symbol in self.symbols
        ]
        return Batch(trades=trades, received_at=received_at)


def _read_day(files: Sequence[Path]) -> pl.DataFrame:
    """Of all symbols, in the order of their times."""
    import polars as pl

    return pl.concat([_read(file) for file in files]).sort("timestamp", maintain_order=True)


def _read(file: Path) -> pl.DataFrame:
    """Trades are numbered, so that none counts twice. What is missing in a row makes it absurd, and it is refused later."""
    import polars as pl

    try:
        table = pl.scan_parquet(file)
        columns: list[Any] = [
            _time(table.collect_schema()["timestamp"]),
            pl.col("price", "size").cast(pl.Float64).fill_null(float("nan")),
            pl.col("exchange", "condition").cast(pl.String).fill_null(""),
        ]
        return table.select(*columns).with_row_index("number", 1).select(
            "timestamp", "price", "size", "exchange", "condition", "number", pl.lit(file.parent.name).alias("symbol")
        ).collect()  # fmt: skip
    except (pl.exceptions.PolarsError, OSError, KeyError) as error:
        raise DataError(
            f"The recording {file} cannot be read: {error}.",
            "It must be Parquet with the columns timestamp, price, size, exchange, condition.",
        ) from error


def _time(kind: pl.DataType) -> pl.Expr:
    """Nanoseconds: numbers are, times are cast."""
    import polars as pl

    column = pl.col("timestamp")
    return (column if kind.is_integer() else column.cast(pl.Datetime("ns")).dt.timestamp("ns")).fill_null(0)
