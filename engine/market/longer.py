"""Longer candles from closed minutes: 5m to 1d, given out again with the next revision when a minute changes.

The newest minute may be replaced at little cost, because the sum before it is kept; a change to an older one, which is
rare, sums up again all that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from engine.domain.market import Bar, Timeframe
from engine.market.hours import Hours
from engine.market.seconds import NEVER

LONGER = (Timeframe.MINUTE_5, Timeframe.MINUTE_15, Timeframe.HOUR_1, Timeframe.HOUR_4, Timeframe.DAY_1)
MINUTE = Timeframe.MINUTE_1.nanoseconds
MINUTES_KEPT = 2_000
"""More than a day has."""
CLOSED_KEPT = 500
"""Of each length: as many as the minutes that are kept can change, and to know their revision."""
DAY_AND_A_HALF = 36 * 60 * MINUTE


class LongerCandles:
    """Of one symbol; `hours` says when its day begins."""

    def __init__(self, hours: Hours) -> None:
        self._series = [_Length(timeframe, hours) for timeframe in LONGER]

    def take(self, minute: Bar, minutes: Mapping[int, Bar]) -> list[Bar]:
        """A closed minute, new or changed; the closed candles that it ends or changes.

        `minutes` are all that are kept, oldest first, and hold `minute`.
        """
        return [bar for series in self._series for bar in series.take(minute, minutes)]

    def close_before(self, time: int) -> list[Bar]:
        """Close those whose end has passed although their last minutes had no trades."""
        return [bar for series in self._series for bar in series.close_before(time)]

    def open_end(self) -> int:
        """When the first of those that are open ends; far away when none is."""
        return min(series.open_end for series in self._series)

    def newest(self, timeframe: Timeframe) -> Bar | None:
        return self._series[LONGER.index(timeframe)].newest

    def with_minute(self, timeframe: Timeframe, minute: Bar) -> Bar:
        """The candle that holds `minute`, which is later than all that were taken."""
        return self._series[LONGER.index(timeframe)].with_minute(minute)


class _Length:
    """The candles of one length."""

    def __init__(self, timeframe: Timeframe, hours: Hours) -> None:
        self.newest: Bar | None = None
        self.open_end = NEVER
        self._timeframe = timeframe
        self._hours = hours
        self._before: Bar | None = None
        """The newest candle without its newest minute."""
        self._newest_minute = -1
        self._closed: dict[int, Bar] = {}

    def take(self, minute: Bar, minutes: Mapping[int, Bar]) -> Iterable[Bar]:
        if minute.timestamp < self._newest_minute:
            yield from self._sum_again(minute, minutes)
            return
        if minute.timestamp > self._newest_minute:
            self._before, self._newest_minute = self.newest, minute.timestamp
        old, bar = self.newest, self._joined(self._before, minute)
        if old is not None and old.timestamp < bar.timestamp:
            yield from self._close(old)
        yield from self._put(bar, minute.timestamp + MINUTE >= self._end(bar.timestamp))

    def close_before(self, time: int) -> Iterable[Bar]:
        if self.newest is not None and self.open_end <= time:
            yield from self._put(self.newest, closed=True)

    def with_minute(self, minute: Bar) -> Bar:
        return self._joined(self.newest, minute)

    def _put(self, bar: Bar, closed: bool) -> Iterable[Bar]:
        """As the newest; one that was closed before stays so."""
        closed = closed or bar.timestamp in self._closed
        self.newest = as_bar(bar, self._timeframe, bar.timestamp, closed)
        self.open_end = NEVER if closed else self._end(bar.timestamp)
        if closed:
            yield from self._close(self.newest)

    def _close(self, bar: Bar) -> Iterable[Bar]:
        """Nothing when it was told before and is still the same."""
        old = self._closed.get(bar.timestamp)
        if old is None or not same(old, bar):
            told = revised(as_bar(bar, self._timeframe, bar.timestamp, closed=True), old)
            self._closed[bar.timestamp] = told
            if len(self._closed) > CLOSED_KEPT:
                del self._closed[min(self._closed)]
            yield told

    def _sum_again(self, changed: Bar, minutes: Mapping[int, Bar]) -> Iterable[Bar]:
        """The candle that holds `changed`; nothing when not all of its minutes are kept."""
        start = self._start(changed.timestamp)
        if start < next(iter(minutes)) and len(minutes) >= MINUTES_KEPT:
            return
        inside = [bar for at, bar in minutes.items() if start <= at < self._end(start)]
        total = self._sum(inside, start)
        if self.newest is None or self.newest.timestamp != start:
            yield from self._close(total)
            return
        if inside[-1].timestamp == self._newest_minute:
            self._before = self._sum(inside[:-1], start) if len(inside) > 1 else None
        yield from self._put(total, self.newest.closed)

    def _sum(self, minutes: list[Bar], start: int) -> Bar:
        return reduce(joined, minutes[1:], as_bar(minutes[0], self._timeframe, start, closed=False))

    def _joined(self, base: Bar | None, minute: Bar) -> Bar:
        start = self._start(minute.timestamp)
        if base is None or base.timestamp != start:
            return as_bar(minute, self._timeframe, start, closed=False)
        return joined(base, minute)

    def _start(self, time: int) -> int:
        if self._timeframe is Timeframe.DAY_1:
            return self._hours.day_start(time)
        return time - time % self._timeframe.nanoseconds

    def _end(self, start: int) -> int:
        if self._timeframe is Timeframe.DAY_1:  # of 23, 24 or 25 hours
            return self._hours.day_start(start + DAY_AND_A_HALF)
        return start + self._timeframe.nanoseconds


def as_bar(bar: Bar, timeframe: Timeframe, start: int, closed: bool) -> Bar:
    return Bar(
        bar.symbol, timeframe, start, bar.open, bar.high, bar.low, bar.close,
        bar.volume, bar.trade_count, bar.vwap, closed,
    )  # fmt: skip


def joined(base: Bar, minute: Bar) -> Bar:
    volume = base.volume + minute.volume
    vwap = (base.vwap * base.volume + minute.vwap * minute.volume) / volume if volume else base.vwap
    return Bar(
        base.symbol, base.timeframe, base.timestamp, base.open, max(base.high, minute.high),
        min(base.low, minute.low), minute.close, volume, base.trade_count + minute.trade_count, vwap, False,
    )  # fmt: skip


def same(one: Bar, other: Bar) -> bool:
    """Whether they say the same of the market."""
    return (one.open, one.high, one.low, one.close, one.volume, one.trade_count) == (
        other.open, other.high, other.low, other.close, other.volume, other.trade_count,
    )  # fmt: skip


def revised(bar: Bar, old: Bar | None) -> Bar:
    """`bar` as the next revision of `old`."""
    if old is None:
        return bar
    return Bar(
        bar.symbol, bar.timeframe, bar.timestamp, bar.open, bar.high, bar.low, bar.close,
        bar.volume, bar.trade_count, bar.vwap, bar.closed, old.revision + 1,
    )  # fmt: skip
