"""One symbol's bars: minutes that grow and close, the days they make, and what was before the tape began."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade, is_crypto
from engine.exchange.candles import Candle
from engine.exchange.columns import Columns
from engine.exchange.prices.base import BarColumns, PriceSource
from engine.exchange.sessions import at_new_york, midnight, new_york

MINUTE = 60 * NANOSECONDS
MINUTE_LIMIT, DAY_LIMIT = 43_200, 1_000


class BarTape:
    """Minutes out of session count for the volume of their day and set none of its prices."""

    def __init__(self, symbol: str, source: PriceSource) -> None:
        self.symbol = symbol
        self.last_minute: Bar | None = None
        self._source = source
        self._growing: Candle | None = None
        self._growing_in_session = True
        self._day: Candle | None = None
        self._day_end = 0
        self._minutes = Columns("qdddddqdb", MINUTE_LIMIT)
        self._days = Columns("qdddddqd", DAY_LIMIT)

    @staticmethod
    def minute_of(at: int) -> int:
        return at // MINUTE * MINUTE

    @staticmethod
    def end_of(start: int) -> int:
        return start + MINUTE

    def add(self, trade: Trade, updates: int, in_session: bool) -> Bar | None:
        """Returns the minute that this print closes, if any."""
        closed = self.close_minute(trade.timestamp)
        if self._growing is None:
            self._growing = Candle(start=trade.timestamp // MINUTE * MINUTE)
            self._growing_in_session = in_session
        self._growing.add(trade, updates)
        return closed

    def close_minute(self, now: int) -> Bar | None:
        """Close the growing minute if `now` is past its end."""
        candle = self._growing
        if candle is None or now < candle.start + MINUTE:
            return None
        self._growing = None
        bar = candle.bar(self.symbol, Timeframe.MINUTE_1, closed=True)
        self._day_of(bar.timestamp).join(bar, self._growing_in_session)
        if bar.open == 0.0:
            return None
        self._minutes.append(*_row(bar), self._growing_in_session)
        self.last_minute = bar
        return bar

    def rescale(self, factor: float, now: int) -> None:
        """Multiply the prices of the minute and of the day that are growing at `now`."""
        self._day_of(now).rescale(factor)
        if self._growing is not None:
            self._growing.rescale(factor)

    def revise(self, start: int, prints: Iterable[tuple[Trade, int]]) -> Bar | None:
        """Make the minute of `start` anew from all its prints, each with what it updates, and its day with it.

        Returns the bar where it was closed before and still is one.
        """
        candle = Candle(start=start)
        for trade, updates in prints:
            candle.add(trade, updates)
        if self._growing is not None and self._growing.start == start:
            self._growing = candle
            return None
        bar = candle.bar(self.symbol, Timeframe.MINUTE_1, closed=True)
        self._put(bar)
        self._remake_day(midnight(start))
        return bar if bar.open else None

    def today(self, now: int) -> Bar | None:
        """The day so far, or None before its first print."""
        day = self._day_of(now)
        if self._growing is not None and self._growing.start >= day.start:
            day = msgspec.structs.replace(day)
            growing = self._growing.bar(self.symbol, Timeframe.MINUTE_1, closed=False)
            day.join(growing, self._growing_in_session)
        return day.bar(self.symbol, Timeframe.DAY_1, closed=False) if day.open else None

    def minutes(self, start: int, end: int) -> BarColumns:
        """Closed minutes whose start is in [start, end], history and tape joined."""
        old = self._source.minute_bars(self.symbol, start, end + 1)
        return BarColumns.join([old, _slice(self._minutes, start, end)])

    def days(self, start: int, end: int, now: int) -> BarColumns:
        """Whole days whose start is in [start, end], and today as far as it goes."""
        today = self.today(now)
        old = self._source.daily_bars(self.symbol)
        first, last = np.searchsorted(old.timestamp, (start, end + 1))
        parts = [old[int(first) : int(last)], _slice(self._days, start, end)]
        if today is not None and start <= today.timestamp <= end:
            growing = Columns("qdddddqd", 1)
            growing.append(*_row(today))
            parts.append(_slice(growing, start, end))
        return BarColumns.join(parts)

    def _put(self, bar: Bar) -> None:
        """Replace, add or remove the row of a closed minute."""
        rows = self._minutes.span(bar.timestamp, bar.timestamp)
        if not rows:
            if bar.open:
                self._minutes.insert(*_row(bar), True)
        elif bar.open:
            self._minutes.replace(rows.start, *_row(bar), self._minutes.row(rows.start)[-1])
        else:
            self._minutes.remove(rows.start)
        if bar.open and (self.last_minute is None or self.last_minute.timestamp <= bar.timestamp):
            self.last_minute = bar

    def _remake_day(self, start: int) -> None:
        """Join the minutes of a day again after one has changed."""
        candle = self._early_day(start)
        end = midnight(start + 36 * 60 * MINUTE)
        for index in self._minutes.span(start, end - 1):
            *row, in_session = self._minutes.row(index)
            candle.join(_bar(self.symbol, row), bool(in_session))
        if self._day is not None and self._day.start == start:
            self._day = candle
        elif rows := self._days.span(start, start):
            self._days.replace(rows.start, *_row(candle.bar(self.symbol, Timeframe.DAY_1, closed=True)))

    def _day_of(self, now: int) -> Candle:
        """The candle of the newest day; begins a new one where `now` is past its end."""
        if self._day is not None and now < self._day_end:
            return self._day
        start = midnight(now)
        self._day_end = midnight(start + 36 * 60 * MINUTE)
        if self._day is not None and self._day.open:
            self._days.append(*_row(self._day.bar(self.symbol, Timeframe.DAY_1, closed=True)))
        self._day = self._early_day(start)
        return self._day

    def _early_day(self, start: int) -> Candle:
        """The part of a day that was before the tape began, from the minute bars."""
        candle = Candle(start=start)
        opens = start
        if not is_crypto(self.symbol) and self._source.end is not None:
            opens = at_new_york(new_york(start).date(), time(9, 30))
        early = self._source.minute_bars(self.symbol, opens, self._source.tape_start)
        if len(early):
            candle.join(_total(self.symbol, early))
        return candle


def _row(bar: Bar) -> tuple[object, ...]:
    return (bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count, bar.vwap)


def _bar(symbol: str, row: list[float]) -> Bar:
    at, opening, high, low, close, volume, count, vwap = row
    return Bar(symbol, Timeframe.MINUTE_1, int(at), opening, high, low, close, volume, int(count), vwap)


def _slice(table: Columns, start: int, end: int) -> BarColumns:
    rows = table.span(start, end)
    times, opening, high, low, close, volume, counts, vwap = (
        column[rows.start : rows.stop] for column in table.columns[:8]
    )
    return BarColumns(
        np.array(times, np.int64),
        np.array(opening, np.float64),
        np.array(high, np.float64),
        np.array(low, np.float64),
        np.array(close, np.float64),
        np.array(volume, np.float64),
        np.array(counts, np.int64),
        np.array(vwap, np.float64),
    )


def _total(symbol: str, bars: BarColumns) -> Bar:
    volume = float(bars.volume.sum())
    return Bar(
        symbol,
        Timeframe.DAY_1,
        int(bars.timestamp[0]),
        float(bars.open[0]),
        float(bars.high.max()),
        float(bars.low.min()),
        float(bars.close[-1]),
        volume,
        int(bars.trade_count.sum()),
        float((bars.volume * bars.vwap).sum() / volume) if volume else float(bars.close[-1]),
    )
