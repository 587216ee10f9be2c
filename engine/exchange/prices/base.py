"""What a source of prices gives the exchange: a tape that advances to a given venue time, and the bars before it."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.exchange.prices.events import TapeEvent

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class BarColumns(msgspec.Struct, frozen=True, eq=False):
    """Bars as columns of equal length, oldest first. `timestamp` is int64 nanoseconds UTC, the start of each bar."""

    timestamp: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trade_count: Integers
    vwap: Floats

    def __len__(self) -> int:
        return len(self.timestamp)

    def __getitem__(self, rows: slice | Integers) -> BarColumns:
        return BarColumns(
            self.timestamp[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.trade_count[rows],
            self.vwap[rows],
        )

    @classmethod
    def join(cls, parts: list[BarColumns]) -> BarColumns:
        if len(parts) == 1:
            return parts[0]
        names = cls.__struct_fields__
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(**columns)

    @classmethod
    def empty(cls) -> BarColumns:
        none = np.empty(0)
        whole = np.empty(0, np.int64)
        return cls(whole, none, none, none, none, none, whole, none)


class PriceSource(Protocol):
    symbols: tuple[str, ...]

    @property
    def tape_start(self) -> int:
        """Venue time of the first event that `step` can give; the bars of `minute_bars` end before it."""
        ...

    @property
    def start(self) -> int:
        """Venue time at which the exchange opens its doors; what is before it is history by then."""
        ...

    @property
    def end(self) -> int | None:
        """Venue time after which nothing more comes, or None for an endless tape."""
        ...

    def step(self, until: int) -> list[TapeEvent]:
        """The events after those given so far, up to and including venue time `until`, in order of time."""
        ...

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        """Stop `symbol` from printing for that long from `at`, which is not before what was given so far."""
        ...

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        """The minutes before `tape_start` whose start is in [start, end)."""
        ...

    def daily_bars(self, symbol: str) -> BarColumns:
        """Whole days before the day of `start`, by New York's calendar."""
        ...


def aggregate(bars: BarColumns, keys: Integers) -> BarColumns:
    """Join neighbouring bars of equal key, such as the minutes of an hour; the key becomes the timestamp."""
    if not len(bars):
        return bars
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    last = np.concatenate((first[1:], [len(keys)])) - 1
    volume = np.add.reduceat(bars.volume, first)
    turnover = np.add.reduceat(bars.volume * bars.vwap, first)
    close = bars.close[last]
    return BarColumns(
        keys[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        close,
        volume,
        np.add.reduceat(bars.trade_count, first),
        np.divide(turnover, volume, out=close.copy(), where=volume > 0),
    )
