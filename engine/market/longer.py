"""Longer candles from closed minutes: 5m to 1d, amended when a minute is.

The newest minute may be replaced at little cost, because the sum before it is kept; a change to an older one, which is
rare, sums up again all that are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain.market import Bar, Timeframe

LONGER = (Timeframe.MINUTE_5, Timeframe.MINUTE_15, Timeframe.HOUR_1, Timeframe.HOUR_4, Timeframe.DAY_1)
MINUTE = Timeframe.MINUTE_1.nanoseconds
MINUTES_KEPT = 2_000
"""More than a day has."""


class LongerCandles:
    """Of one symbol. `day_offset` is when its day begins, int nanoseconds after midnight UTC."""

    def __init__(self, day_offset: int = 0) -> None:
        self._day_offset = day_offset
        self._before: dict[Timeframe, Bar] = {}
        """Without the newest minute."""
        self._bars: dict[Timeframe, Bar] = {}
        self._newest = -1

    def take(self, minute: Bar, minutes: Mapping[int, Bar]) -> list[Bar]:
        """A closed minute, new or amended; the closed candles that it ends or changes.

        `minutes` are all that are kept, oldest first, and hold `minute`.
        """
        if minute.timestamp < self._newest:
            return self._sum_again(minute, minutes)
        closed: list[Bar] = []
        for timeframe in LONGER:
            if minute.timestamp > self._newest and timeframe in self._bars:
                self._before[timeframe] = self._bars[timeframe]
            closed += self._put(timeframe, minute)
        self._newest = minute.timestamp
        return closed

    def close_before(self, time: int) -> list[Bar]:
        """Close those whose end has passed although their last minutes had no trades."""
        closed: list[Bar] = []
        for timeframe, bar in self._bars.items():
            if not bar.closed and bar.timestamp + timeframe.nanoseconds <= time:
                closed.append(as_bar(bar, timeframe, bar.timestamp, closed=True))
        self._bars.update((bar.timeframe, bar) for bar in closed)
        return closed

    def newest(self, timeframe: Timeframe) -> Bar | None:
        return self._bars.get(timeframe)

    def with_minute(self, timeframe: Timeframe, minute: Bar) -> Bar:
        """The candle that holds `minute`, which is later than all that were taken."""
        return self._joined(self._bars.get(timeframe), timeframe, minute)

    def _put(self, timeframe: Timeframe, minute: Bar) -> list[Bar]:
        bar = self._joined(self._before.get(timeframe), timeframe, minute)
        old = self._bars.get(timeframe)
        closed: list[Bar] = []
        if old is not None and not old.closed and old.timestamp < bar.timestamp:
            closed.append(as_bar(old, timeframe, old.timestamp, closed=True))
        was_closed = old is not None and old.closed and old.timestamp == bar.timestamp
        if was_closed or minute.timestamp + MINUTE == bar.timestamp + timeframe.nanoseconds:
            bar = as_bar(bar, timeframe, bar.timestamp, closed=True)
            closed.append(bar)
        self._bars[timeframe] = bar
        return closed

    def _joined(self, base: Bar | None, timeframe: Timeframe, minute: Bar) -> Bar:
        start = self._start(timeframe, minute.timestamp)
        if base is None or base.timestamp != start:
            return as_bar(minute, timeframe, start, closed=False)
        return joined(base, minute)

    def _start(self, timeframe: Timeframe, time: int) -> int:
        offset = self._day_offset if timeframe is Timeframe.DAY_1 else 0
        return (time - offset) // timeframe.nanoseconds * timeframe.nanoseconds + offset

    def _sum_again(self, changed: Bar, minutes: Mapping[int, Bar]) -> list[Bar]:
        """The newest candles anew, and those closed ones that hold `changed`; none whose minutes are not all kept."""
        oldest = next(iter(minutes))
        found: list[Bar] = []
        for timeframe in LONGER:
            start = self._start(timeframe, changed.timestamp)
            if start < oldest and len(minutes) >= MINUTES_KEPT:
                continue
            end = start + timeframe.nanoseconds
            inside = [bar for at, bar in minutes.items() if start <= at < end and bar.closed]
            total = as_bar(inside[0], timeframe, start, closed=False)
            before = total
            for minute in inside[1:]:
                before, total = total, joined(total, minute)
            current = self._bars.get(timeframe)
            if current is None or current.timestamp != start:
                found.append(as_bar(total, timeframe, start, closed=True))
                continue
            if inside[-1].timestamp == self._newest and len(inside) > 1:
                self._before[timeframe] = before
            self._bars[timeframe] = as_bar(total, timeframe, start, closed=current.closed)
            if current.closed:
                found.append(self._bars[timeframe])
        return found


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
