"""Candles of one symbol: seconds from prints, minutes from seconds, longer ones from minutes, each once.

A candle closes when the tape has moved past its end; a time without prints that set a price makes none. A late print, a
correction or the venue's own minute changes a closed candle, which is then given out again with the next revision
number. The venue's minutes replace ours for good, because they know of corrections that we do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.batch import Correction
from engine.market.hours import Hours, RoundTheClock
from engine.market.longer import LONGER, MINUTE, LongerCandles
from engine.market.minutes import Minutes
from engine.market.seconds import Seconds
from engine.market.tape import Tape


class Candles:
    """`tape` is where the prints are kept that are added here."""

    def __init__(self, symbol: str, hours: Hours | None = None, tape: Tape | None = None) -> None:
        self.symbol = symbol
        self.hours = hours or RoundTheClock()
        self.seconds = Seconds(symbol, self.hours, tape or Tape())
        self.minutes = Minutes(symbol, self.seconds)
        self._longer = LongerCandles(self.hours)
        self._closed_to = 0
        self._next_close = 0

    def add_print(self, trade: Trade) -> bool:
        """True when `changes` has something to do."""
        if self.seconds.add(trade):
            self._next_close = 0
            return True
        return False

    def add(self, trades: Iterable[Trade]) -> list[Bar]:
        """Returns closed candles that late prints changed, the longer ones included."""
        late = False
        for trade in trades:
            late |= self.add_print(trade)
        return self.changes() if late else []

    def correct(self, correction: Correction) -> list[Bar] | None:
        """The closed candles that change; None when the print is not known."""
        if not self.seconds.correct(correction):
            return None
        self._next_close = 0
        return self.changes()

    def changes(self) -> list[Bar]:
        """The closed candles that changed since the last call, each with its next revision."""
        late, self.seconds.late = self.seconds.late, {}
        bars: list[Bar] = []
        minutes: dict[int, None] = {}
        for start in sorted(late):
            second = late[start]
            minutes[start - start % MINUTE] = None
            if second.closed:
                second.revision += 1
            elif start + NANOSECONDS <= self._closed_to:
                second.closed = True
            if second.closed and second.fold.priced:
                bars.append(second.bar(self.symbol))
        for minute in minutes:
            bars += self._take(self.minutes.build_again(minute, self._closed_to))
        return bars

    def close_before(self, time: int) -> list[Bar]:
        """Close what ended at or before `time`; the candles closed now, the shorter ones first."""
        if time < self._next_close:
            return []
        self._closed_to = max(self._closed_to, time)
        bars: list[Bar] = []
        for second in self.seconds.close_before(time):
            bars += self._take(self.minutes.close_before(second.start))
            self.minutes.join(second)
            if second.fold.priced:
                bars.append(second.bar(self.symbol))
        bars += self._take(self.minutes.close_before(time))
        bars += self._longer.close_before(time)
        self._next_close = self._next_end()
        return bars

    def replace_minute(self, bar: Bar) -> list[Bar]:
        """The venue's own closed minute; what is to be given out again because of it, itself included."""
        return self._take(self.minutes.replace(bar))

    def seed(self, minutes: Iterable[Bar]) -> None:
        """Closed minutes of today, so that longer candles do not begin in the middle of their time."""
        for bar in minutes:
            self.minutes.replace(bar)
        self._longer = LongerCandles(self.hours)
        for bar in self.minutes.closed.values():
            self._longer.take(bar, self.minutes.closed)

    def growing(self) -> list[Bar]:
        """Candles that changed since the last call and are still open, the longer ones included."""
        newest = self.seconds.newest
        if newest is None or newest.told == newest.fold.sums:
            return []
        newest.told = newest.fold.sums
        found = [newest.bar(self.symbol)] if not newest.closed and newest.fold.priced else []
        minute = self.minutes.growing()
        if minute is not None:
            found.append(minute)
            found += [self._longer.with_minute(timeframe, minute) for timeframe in LONGER]
        return found

    @property
    def last(self) -> float:
        """The newest price; 0 where there is none."""
        return self.seconds.last

    def current(self, timeframe: Timeframe) -> Bar | None:
        """The candle of `timeframe` that holds the newest minute."""
        growing = self.minutes.growing()
        if timeframe is Timeframe.MINUTE_1:
            return growing or self.minutes.newest_closed()
        if timeframe not in LONGER:
            return None
        return self._longer.newest(timeframe) if growing is None else self._longer.with_minute(timeframe, growing)

    def _take(self, minutes: Iterable[Bar]) -> list[Bar]:
        """Closed minutes and the longer candles that they end or change."""
        bars: list[Bar] = []
        for minute in minutes:
            bars += [minute, *self._longer.take(minute, self.minutes.closed)]
        return bars

    def _next_end(self) -> int:
        return min(self.seconds.open_end(), self.minutes.open_end(), self._longer.open_end())
