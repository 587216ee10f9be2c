"""One file of the lake: its rows as Parquet, and in its metadata what they are, what they cover and their checksum."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from engine.domain.errors import DataError
from engine.domain.market import Bar
from engine.domain.spans import Span, joined, within
from engine.storage.lake.periods import Period

if TYPE_CHECKING:
    import polars

VERSION = 1
KEY = "paddock"
PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "vwap")
COUNTS = ("trades", "revision")
REMEDY = "`paddock history download` reads the bars of that time again."


class Row(msgspec.Struct, frozen=True, gc=False):
    """A bar and who it came from: broker, trades (our own candles of recorded trades), database."""

    bar: Bar
    source: str


class Part(msgspec.Struct, frozen=True):
    """Rows by time. Within `covered` no bar is missing: where there is none, nothing was traded."""

    period: Period
    rows: list[Row] = []
    covered: list[Span] = []

    def joined_with(self, rows: Iterable[Row], covered: Iterable[Span]) -> Part:
        """The higher revision wins, of equals the newcomer; what lies outside the period is left out."""
        found = {row.bar.timestamp: row for row in self.rows}
        for row in rows:
            known = found.get(row.bar.timestamp)
            if known is None or row.bar.revision >= known.bar.revision:
                found[row.bar.timestamp] = row
        bounds = [Span(self.period.start, self.period.end)]
        inside = [found[at] for at in sorted(found) if bounds[0].start <= at < bounds[0].end]
        return Part(self.period, inside, within([*self.covered, *covered], bounds))


class _Header(msgspec.Struct, frozen=True):
    version: int
    symbol: str
    timeframe: str
    rows: int
    sha256: str
    covered: list[tuple[int, int]]


def encode(part: Part) -> bytes:
    import polars

    rows, bars = part.rows, [row.bar for row in part.rows]
    frame = polars.DataFrame(
        {"timestamp": np.fromiter((bar.timestamp for bar in bars), np.int64, len(bars))}
        | {name: np.fromiter((getattr(bar, name) for bar in bars), np.float64, len(bars)) for name in NUMBERS}
        | {
            "trades": np.fromiter((bar.trade_count for bar in bars), np.int64, len(bars)),
            "revision": np.fromiter((bar.revision for bar in bars), np.int64, len(bars)),
            "source": polars.Series("source", [row.source for row in rows], dtype=polars.String),
        }
    ).with_columns(polars.col("timestamp").cast(polars.Datetime("ns", "UTC")))
    header = _Header(
        VERSION, part.period.symbol, part.period.timeframe.value, len(rows), _checksum(frame),
        [(span.start, span.end) for span in part.covered],
    )  # fmt: skip
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata={KEY: msgspec.json.encode(header).decode()})
    return buffer.getvalue()


def decode(period: Period, content: bytes, place: str) -> Part:
    """Raises DataError for what is not whole, not what it says, or cannot be true."""
    import polars

    try:
        header = msgspec.json.decode(polars.read_parquet_metadata(io.BytesIO(content))[KEY], type=_Header)
        frame = polars.read_parquet(io.BytesIO(content))
        _check(header, frame, period)
    except KeyError as error:
        raise DataError(f"{place} was not written by the lake ({error} is missing).", REMEDY) from error
    except (_Wrong, msgspec.DecodeError) as error:
        raise DataError(f"{place} is damaged: {error}.", REMEDY) from error
    except (polars.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(f"{place} is damaged: {str(error).splitlines()[0]}.", REMEDY) from error
    return Part(period, _rows(period, frame), joined(Span(*span) for span in header.covered))


class _Wrong(Exception):  # noqa: N818  it never leaves this module
    pass


def _check(header: _Header, frame: polars.DataFrame, period: Period) -> None:
    _refuse(header.version > VERSION, "a newer version of Paddock wrote it")
    _refuse(
        (header.symbol, header.timeframe) != (period.symbol, period.timeframe.value),
        f"it holds {header.timeframe} of {header.symbol}",
    )
    _refuse(header.rows != len(frame), f"it has {len(frame)} rows and should have {header.rows}")
    _refuse(header.sha256 != _checksum(frame), "its checksum is wrong")
    times = frame["timestamp"].to_physical().to_numpy()
    _refuse(bool((np.diff(times) <= 0).any()), "its rows are not in order, each time once")
    outside = len(times) and (times[0] < period.start or times[-1] >= period.end)
    _refuse(bool(outside), "it has rows of another time")
    open_, high, low, close = (frame[name].to_numpy() for name in PRICES)
    possible = (low > 0) & (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close)) & np.isfinite(high)
    _refuse(not possible.all(), "it has prices that cannot be")


def _refuse(wrong: bool, what: str) -> None:
    if wrong:
        raise _Wrong(what)


def _checksum(frame: polars.DataFrame) -> str:
    """Of the values, so that it does not depend on how Parquet packs them."""
    found = hashlib.sha256()
    for name in ("timestamp", *NUMBERS, *COUNTS):
        found.update(frame[name].to_physical().to_numpy().tobytes())
    found.update("\n".join(frame["source"]).encode())
    return found.hexdigest()


def _rows(period: Period, frame: polars.DataFrame) -> list[Row]:
    symbol, timeframe = period.symbol, period.timeframe
    columns = frame.with_columns(frame["timestamp"].to_physical())
    wanted = ("timestamp", *PRICES, "volume", "trades", "vwap", "revision", "source")
    return [
        Row(Bar(symbol, timeframe, at, open_, high, low, close, volume, trades, vwap, True, revision), source)
        for at, open_, high, low, close, volume, trades, vwap, revision, source in columns.select(wanted).iter_rows()
    ]
