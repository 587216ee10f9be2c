"""`paddock history candles`: candles of recorded trades, by the normaliser and the builder of the feed."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from engine.domain.errors import ConfigurationError, DataError
from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.hours import Choice, Hours, calendar_hours
from engine.market.recorded import build_candles

if TYPE_CHECKING:
    import polars

NEEDED = ("timestamp", "price", "size")
REMEDY = "Trades need the columns timestamp (a time, or nanoseconds since 1970 UTC), price and size."
AROUND = timedelta(days=10)
"""The calendar is read so far around the trades, because it must hold a session."""
ROWS_TOLD = 50_000


def run_candles(paths: Sequence[Path], timeframe: Timeframe, sessions: str, out: Path) -> None:
    """Raises DataError for files that are not trades of one symbol, ConfigurationError for one that cannot be written."""
    if out.suffix.lower() != ".parquet":
        raise ConfigurationError(f"{out.name} is not a .parquet file.", "Name it --out FILE.parquet.")
    if not out.absolute().parent.is_dir():
        raise ConfigurationError(f"There is no folder {out.absolute().parent}.", "Make it, or choose another.")
    frames = sorted((_read(path) for path in paths), key=lambda frame: int(frame["timestamp"][0]))
    symbol = _symbol(frames)
    first, last = int(frames[0]["timestamp"][0]), max(int(frame["timestamp"].max()) for frame in frames)  # type: ignore[arg-type]
    rejected: Counter[str] = Counter()
    built = build_candles(_trades(symbol, frames), timeframe, _hours(sessions, first, last), rejected)
    if not built:
        raise DataError(
            "No candle came of these trades.", f"None is within the {sessions} sessions, or none sets a price."
        )
    _write([built[key] for key in sorted(built)], out)
    count = sum(map(len, frames))
    typer.echo(f"{out}: {len(built):,} candles of {timeframe} from {count:,} trades of {symbol or 'one symbol'}")
    for reason, number in rejected.most_common():
        typer.echo(f"  {number:,} trades left out: {reason}")


def _read(path: Path) -> polars.DataFrame:
    """Times as int64 nanoseconds, and the columns that a Trade takes; none without rows."""
    # Imported here because it takes a quarter of a second, and `--help` reads no file.
    import polars

    if not path.is_file():
        raise DataError(f"There is no file {path}.", "Name Parquet files of trades.")
    try:
        frame = polars.read_parquet(path)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}", REMEDY) from error
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}.", REMEDY)
    if not len(frame):
        raise DataError(f"{path} has no rows.", "Leave it out.")
    try:
        return frame.select(
            _time(frame["timestamp"]),
            polars.col("price", "size").cast(polars.Float64),
            _text(frame, "exchange"),
            _conditions(frame),
            _number(frame, "trade_id"),
            _text(frame, "symbol", path.absolute().parent.name),
        )
    except polars.exceptions.PolarsError as error:
        raise DataError(f"{path} does not hold trades: {str(error).splitlines()[0]}", REMEDY) from error


def _time(column: polars.Series) -> polars.Series:
    import polars

    if column.null_count():
        raise DataError(f"Row {int(column.is_null().arg_true()[0]) + 1} has no timestamp.", REMEDY)
    return column if column.dtype.is_integer() else column.cast(polars.Datetime("ns")).dt.timestamp("ns")


def _text(frame: polars.DataFrame, name: str, default: str = "") -> polars.Expr:
    import polars

    column = polars.col(name).cast(polars.String).fill_null("") if name in frame.columns else polars.lit(default)
    return column.alias(name)


def _number(frame: polars.DataFrame, name: str) -> polars.Expr:
    import polars

    column = polars.col(name).cast(polars.Int64).fill_null(0) if name in frame.columns else polars.lit(0)
    return column.alias(name)


def _conditions(frame: polars.DataFrame) -> polars.Expr:
    """A list of words: a column `conditions` has one already, `condition` is one word (or none)."""
    import polars

    if "conditions" in frame.columns:
        return polars.col("conditions").cast(polars.List(polars.String))
    return polars.concat_list(_text(frame, "condition")).alias("conditions")


def _symbol(frames: Sequence[polars.DataFrame]) -> str:
    names = {name for frame in frames for name in frame["symbol"].unique()}
    if len(names) > 1:
        raise DataError(
            f"The files hold several symbols: {', '.join(sorted(names))}.", "Build the candles of each alone."
        )
    return str(names.pop())


def _trades(symbol: str, frames: Sequence[polars.DataFrame]) -> Iterator[Trade]:
    total, done = sum(map(len, frames)), 0
    columns = ("price", "size", "timestamp", "exchange", "conditions", "trade_id")
    for frame in frames:
        for price, size, at, exchange, words, number in frame.select(columns).iter_rows():
            done += 1
            if done % ROWS_TOLD == 0 or done == total:
                _progress(done, total)
            yield Trade(symbol, price, size, at, exchange, tuple(word for word in words or () if word), number)


def _hours(sessions: str, first: int, last: int) -> Hours:
    days = (datetime.fromtimestamp(at // NANOSECONDS, UTC).date() for at in (first, last))
    begin, end = next(days) - AROUND, next(days) + AROUND
    return calendar_hours(begin, end, Choice(sessions))


def _write(bars: Sequence[Bar], out: Path) -> None:
    import polars

    rows: list[tuple[Any, ...]] = [
        (bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.trade_count) for bar in bars
    ]
    names = ("timestamp", "open", "high", "low", "close", "volume", "vwap", "trades")
    frame = polars.DataFrame(rows, schema=names, orient="row").with_columns(
        polars.col("timestamp").cast(polars.Datetime("ns", "UTC"))
    )
    partial = out.with_name(f".{out.name}.partial")
    try:
        frame.write_parquet(partial)
        partial.replace(out)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ConfigurationError(
            f"{out} cannot be written: {error.strerror or error}.", "Choose another place."
        ) from None


def _progress(done: int, total: int) -> None:
    """One line that writes over itself, where a person looks on."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + ("" if done == total else f"{done:,} of {total:,} trades"))
        sys.stderr.flush()
