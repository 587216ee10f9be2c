"""One symbol's recorded prints or quotes of a day as columns, read from Parquet or drawn from minute bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS
from engine.exchange.prices.base import BarColumns, Floats, Integers
from engine.exchange.prices.recording import LAYOUT

if TYPE_CHECKING:
    import polars

TRADES, QUOTES = "trades", "quotes"
MINUTE = 60 * NANOSECONDS
_VALUES = {TRADES: ("price", "size"), QUOTES: ("bid_price", "bid_size", "ask_price", "ask_size")}
_OFFSETS = (1, 20, 40, 59)
"""Seconds into its minute at which a bar's four prints come."""


class Ticks:
    """`kind` is TRADES with price and size as `values`, or QUOTES with one-sided bid and ask. Remembers how far the
    replay has got in it.
    """

    def __init__(
        self,
        symbol: str,
        kind: str,
        timestamps: Integers,
        values: list[Floats],
        exchanges: list[str],
        conditions: list[str],
        suspicious: list[bool],
    ) -> None:
        self.symbol = symbol
        self.kind = kind
        self.timestamps = timestamps
        self.values = values
        self.exchanges = exchanges
        self.conditions = conditions
        self.suspicious = suspicious
        self.position = 0

    def upto(self, until: int) -> slice:
        """The rows after those taken so far, up to and including `until`; takes them."""
        start = self.position
        self.position = max(int(np.searchsorted(self.timestamps, until, side="right")), start)
        return slice(start, self.position)


def read_ticks(folder: Path, symbol: str, kind: str, day: str) -> Ticks:
    """Raises DataError."""
    frame = read_parquet(folder / kind / symbol / f"{day}.parquet")
    try:
        timestamps: Integers = frame["timestamp"].dt.timestamp("ns").to_numpy()
        values = [_floats(frame, name) for name in _VALUES[kind]]
        exchanges, conditions = _words(frame, "exchange"), _words(frame, "condition")
        return Ticks(symbol, kind, timestamps, values, exchanges, conditions, frame["suspicious"].to_list())
    except Exception as error:
        # polars has an exception of its own for each way a column can be wrong
        raise DataError(f"The {kind} of {symbol} on {day} cannot be read: {error}.", LAYOUT) from error


def ticks_of_bars(symbol: str, bars: BarColumns) -> Ticks:
    """Four prints a minute that make the same bar again: the open, the low and the high, the close. A minute that rose
    has its low first. The volume is spread evenly, in whole units where it is whole.
    """
    bars = bars[np.flatnonzero(bars.volume > 0)]
    rose = bars.close >= bars.open
    second, third = np.where(rose, bars.low, bars.high), np.where(rose, bars.high, bars.low)
    quarter = np.where((bars.volume % 1 == 0) & (bars.volume >= 4), bars.volume // 4, bars.volume / 4)
    last = np.round(bars.volume - 3 * quarter, 9)
    offsets = np.array(_OFFSETS, np.int64) * NANOSECONDS
    count = 4 * len(bars)
    return Ticks(
        symbol,
        TRADES,
        (bars.timestamp[:, None] + offsets).ravel(),
        [
            np.column_stack((bars.open, second, third, bars.close)).ravel(),
            np.column_stack((quarter, quarter, quarter, last)).ravel(),
        ],
        [""] * count,
        [""] * count,
        [False] * count,
    )


def read_bars(path: Path) -> BarColumns:
    """Recorded bars, without any where there is no file. Raises DataError."""
    if not path.is_file():
        return BarColumns.empty()
    frame = read_parquet(path)
    try:
        timestamps: Integers = frame["timestamp"].dt.timestamp("ns").to_numpy()
        opening, high, low, close, volume = (_floats(frame, n) for n in ("open", "high", "low", "close", "volume"))
    except Exception as error:
        raise DataError(f"The bars in {path} cannot be read: {error}.", LAYOUT) from error
    vwap = np.round((high + low + close) / 3, 4)
    counts = np.ones(len(timestamps), np.int64)
    return BarColumns(timestamps, opening, high, low, close, volume, counts, vwap)


def read_parquet(path: Path) -> polars.DataFrame:
    # Imported here because a simulated exchange never needs it, and it is slow to import.
    import polars

    try:
        return polars.read_parquet(path)
    except Exception as error:
        raise DataError(f"{path} cannot be read: {error}.", "Restore the file, or choose another recording.") from error


def _floats(frame: polars.DataFrame, name: str) -> Floats:
    """Recordings carry the noise of their arithmetic, 49.080000000000005; a fill at such a price would keep it."""
    rounded: Floats = np.round(frame[name].to_numpy().astype(np.float64), 6)
    return rounded


def _words(frame: polars.DataFrame, name: str) -> list[str]:
    """A column of few different words, each of them in memory once."""
    known: dict[str, str] = {}
    return [known.setdefault(word or "", word or "") for word in frame[name]]
