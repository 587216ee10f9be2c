"""Read bars from Parquet or CSV, refuse what cannot be true, cut and resample.

Columns: timestamp (start of the bar; UTC unless it says otherwise), open, high, low, close, volume. A timestamp that is
a whole number counts seconds, milliseconds, microseconds or nanoseconds since 1970, whichever its size tells.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.domain.errors import ConfigurationError, DataError, PaddockError
from engine.domain.market import NANOSECONDS, Timeframe
from engine.strategies.base import Bars, FloatArray, IntArray

if TYPE_CHECKING:
    import polars

PRICES = ("open", "high", "low", "close")
COLUMNS = ("timestamp", *PRICES, "volume")
UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (2**63, 1))
"""(below this a number counts, nanoseconds in its unit): seconds, milli-, micro- and nanoseconds until the year 5138."""
REMEDY = "The file needs the columns timestamp, open, high, low, close, volume, oldest bar first."


def read_bars(path: Path, start: str = "", end: str = "", timeframe: Timeframe | None = None) -> Bars:
    """`start` and `end` are ISO dates of UTC days, both inclusive.

    Raises DataError naming row and remedy, ConfigurationError for a date or timeframe that cannot be.
    """
    frame = _read(path)
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise DataError(f"{path.name} has no column {', '.join(missing)}.", REMEDY)
    if not len(frame):
        raise DataError(f"{path.name} has no rows.", REMEDY)
    try:
        bars = Bars(_timestamps(frame, path.name), *(_numbers(frame[name]) for name in (*PRICES, "volume")))
    except PaddockError:
        raise
    except Exception as error:
        # polars has an exception of its own for each way a column can be wrong
        raise DataError(f"{path.name} cannot be read as bars: {error}", REMEDY) from error
    _check(bars, path.name)
    bars = _between(bars, _day(start, "start"), _day(end, "end"))
    if timeframe is not None:
        bars = resample(bars, timeframe)
    if not len(bars):
        raise DataError(f"{path.name} has no bar between these dates.", "Choose other dates.")
    return bars


def resample(bars: Bars, timeframe: Timeframe) -> Bars:
    """Longer bars: first open, highest high, lowest low, last close, sum of volume. Their start is a multiple of it.

    Raises ConfigurationError when the bars are longer already.
    """
    if not len(bars):
        return bars
    shortest = int(np.diff(bars.timestamp).min()) if len(bars) > 1 else 0
    if shortest > timeframe.nanoseconds:
        raise ConfigurationError(
            f"The bars of the file are longer than {timeframe}.",
            "Choose a longer timeframe, or none for the file's own.",
        )
    start = bars.timestamp // timeframe.nanoseconds * timeframe.nanoseconds
    first = np.flatnonzero(np.diff(start, prepend=start[0] - 1))
    last = np.append(first[1:], len(start)) - 1
    return Bars(
        start[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.add.reduceat(bars.volume, first),
    )


def _read(path: Path) -> polars.DataFrame:
    # Imported here because it takes a quarter of a second and most processes never read a file.
    import polars

    if not path.is_file():
        raise DataError(f"There is no file {path}.", "Choose a Parquet or CSV file.")
    try:
        if path.suffix.lower() == ".csv":
            return polars.read_csv(path, try_parse_dates=True)
        return polars.read_parquet(path)
    except Exception as error:
        raise DataError(f"{path.name} cannot be read: {error}", REMEDY) from error


def _timestamps(frame: polars.DataFrame, name: str) -> IntArray:
    import polars

    column = frame["timestamp"]
    if column.dtype == polars.String:
        column = column.str.to_datetime(time_zone="UTC", strict=False)
    elif column.dtype == polars.Date:
        column = column.cast(polars.Datetime("ns"))
    if column.null_count():
        row = int(column.is_null().arg_true()[0]) + 1
        raise DataError(f"{name}, row {row}: timestamp is missing or not a time.", "Write it as 2024-12-31T14:30:00Z.")
    if column.dtype.is_integer():
        whole = column.to_numpy().astype(np.int64)
        return whole * next(unit for most, unit in UNITS if int(whole.max()) < most)
    return column.dt.timestamp("ns").to_numpy().astype(np.int64)


def _numbers(column: polars.Series) -> FloatArray:
    """NaN for what is missing or no number; the check names its row."""
    import polars

    return column.cast(polars.Float64, strict=False).to_numpy().astype(np.float64)


def _check(bars: Bars, name: str) -> None:
    def refuse(wrong: np.ndarray, what: str) -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            raise DataError(
                f"{name}, row {rows[0] + 1}: {what}.", "Mend or remove the row; later rows may have it too."
            )

    for column in PRICES:
        values = getattr(bars, column)
        refuse(~np.isfinite(values), f"{column} is missing or not a number")
        refuse(values <= 0, f"{column} is not above zero")
    refuse(~np.isfinite(bars.volume) | (bars.volume < 0), "volume is missing or negative")
    refuse(bars.high < np.maximum(bars.open, bars.close), "high is below open or close")
    refuse(bars.low > np.minimum(bars.open, bars.close), "low is above open or close")
    step = np.diff(bars.timestamp)
    refuse(np.append(False, step == 0), "the same timestamp as the row before")
    refuse(np.append(False, step < 0), "it is older than the row before")


def _between(bars: Bars, start: date | None, end: date | None) -> Bars:
    first = np.searchsorted(bars.timestamp, _nanoseconds(start)) if start else 0
    last = np.searchsorted(bars.timestamp, _nanoseconds(end + timedelta(days=1))) if end else len(bars)
    return bars[int(first) : int(last)]


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"The {name} {text!r} is not a date.", "Write it as 2024-12-31.") from None


def _nanoseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NANOSECONDS
