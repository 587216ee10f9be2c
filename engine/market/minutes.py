"""Minutes of one symbol from its seconds, or from the venue, whose word on a minute is final until its next."""

from __future__ import annotations

from engine.domain.market import Bar, Timeframe
from engine.market.fold import Fold
from engine.market.longer import MINUTE, MINUTES_KEPT, revised, same
from engine.market.seconds import NEVER, Second, Seconds


class Minutes:
    def __init__(self, symbol: str, seconds: Seconds) -> None:
        self.closed: dict[int, Bar] = {}
        """By start, oldest first."""
        self._symbol = symbol
        self._seconds = seconds
        self._venues: set[int] = set()
        """Minutes that the venue has told."""
        self._start = -1
        """Of the minute that is open; -1 = none."""
        self._fold = Fold()
        """Its closed seconds."""

    @property
    def bars(self) -> dict[int, Bar]:
        growing = self.growing()
        return self.closed if growing is None else self.closed | {growing.timestamp: growing}

    def newest_closed(self) -> Bar | None:
        return next(reversed(self.closed.values()), None)

    def join(self, second: Second) -> None:
        """A second that has closed, later than those before."""
        start = second.start - second.start % MINUTE
        if start != self._start:
            self._start, self._fold = start, Fold()
        self._fold.join(second.fold)

    def growing(self) -> Bar | None:
        """The newest minute that has a price, while it is open."""
        newest = self._seconds.newest
        if newest is None:
            return None
        start = newest.start - newest.start % MINUTE
        if start in self.closed:
            return None
        total = Fold()
        if start == self._start:
            total.join(self._fold)
        for second in self._seconds.open_since(start):
            total.join(second.fold)
        return total.bar(self._symbol, Timeframe.MINUTE_1, start, False) if total.priced else None

    def close_before(self, time: int) -> list[Bar]:
        if self._start < 0 or self._start + MINUTE > time:
            return []
        start, self._start = self._start, -1
        if not self._fold.priced or start in self.closed:
            return []
        return [self._put(self._fold.bar(self._symbol, Timeframe.MINUTE_1, start, True))]

    def build_again(self, start: int, closed_to: int) -> list[Bar]:
        """A closed second of this minute changed. Nothing when the venue has told the minute."""
        if start in self._venues:
            return []
        total = Fold()
        for second in self._seconds.between(start, start + MINUTE):
            if second.closed:
                total.join(second.fold)
        if start + MINUTE > closed_to:
            if self._start in (-1, start):  # else the one before is open, and no second of this one has closed
                self._start, self._fold = start, total
            return []
        if not total.priced:
            return []
        old = self.closed.get(start)
        return [self._put(total.bar(self._symbol, Timeframe.MINUTE_1, start, True, old.revision + 1 if old else 0))]

    def replace(self, bar: Bar) -> list[Bar]:
        old = self.closed.get(bar.timestamp)
        self._venues.add(bar.timestamp)
        return [self._put(revised(bar, old))] if old is None or not same(old, bar) else []

    def open_end(self) -> int:
        return self._start + MINUTE if self._start >= 0 else NEVER

    def _put(self, bar: Bar) -> Bar:
        newest = next(reversed(self.closed), -1)
        self.closed[bar.timestamp] = bar
        if bar.timestamp < newest:
            self.closed = dict(sorted(self.closed.items()))
        while len(self.closed) > MINUTES_KEPT:
            oldest = next(iter(self.closed))
            del self.closed[oldest]
            self._venues.discard(oldest)
        return bar
