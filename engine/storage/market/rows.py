"""Messages of the hub as rows of the tables, in the order of their columns, and which of them are refused and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite

from engine.domain.market import NANOSECONDS, Bar, IndicatorValues
from engine.streams.messages import FeedStatus, Indicators, QuoteState, RevisedSignal, Signal

Row = tuple[object, ...]

EARLIEST = 315_532_800 * NANOSECONDS
"""1980: before it there is no data of a market, only a clock at zero."""
FUTURE = 86_400 * NANOSECONDS
LARGEST = 2**63 - 1
LONGEST_TEXT = 4_000

KEYS: dict[str, tuple[int, ...]] = {
    "stream_messages": (0, 1),
    "normalized_data": (0, 1),
    "realtime_candles": (0, 1, 2),
    "technical_indicators": (0, 1, 2, 3),
    "system_metrics": (0, 1, 2),
    "processing_results": (0, 1),
}
"""Where each table's key is in its rows."""
TIMES = {name: 2 if name == "realtime_candles" else 3 if name == "technical_indicators" else 0 for name in KEYS}
"""Where each table's time is in its rows."""
REVISIONS = {"realtime_candles": 10}
"""Where the number is by which a row replaces only the same or an older one."""


def candle_rows(bars: Iterable[Bar]) -> Iterator[Row]:
    for b in bars:
        if b.closed:
            yield (
                b.symbol, b.timeframe.value, b.timestamp, b.open, b.high, b.low, b.close, b.volume, b.trade_count,
                b.vwap, b.revision,
            )  # fmt: skip


def quote_rows(quotes: Iterable[QuoteState]) -> Iterator[Row]:
    """A state without a time is what history knew before the first quote or print of today came."""
    for q in quotes:
        if not q.timestamp:
            continue
        yield q.timestamp, q.symbol, q.last, q.bid, q.ask, q.bid_size, q.ask_size, q.day_volume


NAMES = IndicatorValues.__struct_fields__[2:]


def indicator_rows(message: Indicators) -> Iterator[Row]:
    timeframe = message.timeframe.value
    for values in message.values:
        for name in NAMES:
            yield values.symbol, timeframe, name, values.timestamp, getattr(values, name)


def signal_rows(signals: Iterable[Signal]) -> Iterator[Row]:
    for s in signals:
        yield (
            s.made_at, s.signal_id, "signal", s.sleeve, s.strategy, s.symbol, s.weight, s.confidence, s.price, s.as_of,
            s.reason,
        )  # fmt: skip


def revised_signal_rows(signals: Iterable[RevisedSignal]) -> Iterator[Row]:
    """Each revision of a bar that would have changed a signal is a result of its own; `weight` is what would have been."""
    for s in signals:
        yield (
            s.at, f"{s.signal_id}.{s.bar}.{s.revision}", "revision", s.sleeve, s.strategy, s.symbol, s.would_be, 0.0,
            s.price, s.as_of, f"{s.was:+.2%} in signal {s.signal_id}, before the bar {s.timeframe} {s.bar} was corrected",
        )  # fmt: skip


def metric_rows(process: str, at: int, **values: float) -> Iterator[Row]:
    for name, value in values.items():
        yield at, process, name, float(value)


def feed_rows(status: FeedStatus, at: int) -> Iterator[Row]:
    return metric_rows(
        status.feed,
        at,
        connected=status.connected,
        age=status.age,
        messages=status.messages,
        message_rate=status.message_rate,
        reconnects=status.reconnects,
        rejected=status.rejected,
        conflated=status.conflated,
        shed=sum(status.shed.values()),
    )


def refusal(table: str, row: Row, now: int) -> str:
    """Why no database may be given this row; empty for a good one."""
    for value in row:
        kind = type(value)
        if kind is float:
            if not isfinite(value):  # type: ignore[arg-type]
                return "a number that is not finite"
        elif kind is int:
            if not -LARGEST <= value <= LARGEST:  # type: ignore[operator]
                return "a number beyond 64 bits"
        elif kind is str and ("\0" in value or len(value) > LONGEST_TEXT):  # type: ignore[operator,arg-type]
            return "text that is too long or holds a zero byte"
    time = row[TIMES[table]]
    if not isinstance(time, int) or not EARLIEST <= time <= now + FUTURE:
        return "a time out of range"
    return ""
