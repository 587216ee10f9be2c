"""The seconds of one symbol, of which all candles are made. One in which a print was wrong is built again from the tape."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.batch import Correction
from engine.market.fold import Fold
from engine.market.hours import Hours
from engine.market.normaliser.conditions import kind_of
from engine.market.open_second import OpenSecond
from engine.market.tape import Tape

SECONDS_KEPT = 1_800
NEVER = 1 << 62
"""The end of what is not open."""


class Second:
    """`told` is what the fold was when its growing candle was last given out."""

    __slots__ = ("closed", "fold", "revision", "start", "told")

    def __init__(self, start: int) -> None:
        self.start = start
        self.fold = Fold()
        self.told: object = None
        self.closed = False
        self.revision = 0

    def bar(self, symbol: str) -> Bar:
        return self.fold.bar(symbol, Timeframe.SECOND_1, self.start, self.closed, self.revision)


class Seconds:
    """Oldest first, bounded. `late` collects what changed behind the newest second."""

    def __init__(self, symbol: str, hours: Hours, tape: Tape) -> None:
        self.late: dict[int, Second] = {}
        self.outside = 0
        """Prints outside of the hours in which candles are built."""
        self.too_old = 0
        """Prints of a time before all that is kept."""
        self._symbol = symbol
        self._hours = hours
        self._tape = tape
        self._all: dict[int, Second] = {}
        self._newest: Second | None = None
        self._newest_start = -1
        self.open = OpenSecond()
        """The newest second while it is open."""

    def add(self, trade: Trade) -> bool:
        """True when there is something to close or to tell: a new second, or a closed one that changed."""
        at = trade.timestamp
        start = at - at % NANOSECONDS
        second = self._all.get(start)
        begun = second is None
        if second is None and (second := self._begin(start)) is None:
            return False
        second.fold.add(trade.price, trade.size, at, trade.trade_id, kind_of(trade))
        if start < self._newest_start or second.closed:
            self.late[start] = second
            return True
        return begun

    def _begin(self, start: int) -> Second | None:
        if not self._hours.includes(start):
            self.outside += 1
            return None
        if len(self._all) >= SECONDS_KEPT and start < next(iter(self._all)):
            self.too_old += 1
            return None
        second = self._all[start] = Second(start)
        if start > self._newest_start:
            self._newest, self._newest_start = second, start
            self.open.open(start, start + NANOSECONDS, second.fold)
        else:
            self._all = dict(sorted(self._all.items()))
        if len(self._all) > SECONDS_KEPT:
            del self._all[next(iter(self._all))]
        return second

    def correct(self, correction: Correction) -> bool:
        """False when the print, or another one of its second, is not on the tape any more."""
        at = self._tape.correct(correction)
        start = at - at % NANOSECONDS
        second = self._all.get(start) if at >= 0 else None
        if second is None or start < self._tape.whole_from:
            return False
        second.fold = Fold()
        for price, size, time, number, kind in self._tape.between(start, start + NANOSECONDS):
            second.fold.add(price, size, time, number, kind)
        second.told = None
        if start == self.open.start:
            self.open.fold = second.fold
        else:
            self.late[start] = second
        return True

    def close_before(self, time: int) -> list[Second]:
        """Those that ended at or before `time` and were open, oldest first."""
        closed: list[Second] = []
        for second in reversed(self._all.values()):
            if second.closed:
                break
            if second.start + NANOSECONDS <= time:
                second.closed = True
                closed.append(second)
        if closed and closed[0] is self._newest:
            self.open.close()
        closed.reverse()
        return closed

    def open_end(self) -> int:
        """The end of the oldest that is open: the one before the newest is, for as long as its prints may be out of order."""
        end = NEVER
        for second in reversed(self._all.values()):
            if second.closed:
                break
            end = second.start + NANOSECONDS
        return end

    def open_since(self, start: int) -> list[Second]:
        """Oldest first."""
        found = itertools.takewhile(
            lambda second: not second.closed and second.start >= start, reversed(self._all.values())
        )
        return list(found)[::-1]

    def between(self, start: int, end: int) -> Iterator[Second]:
        """Those that begin from `start` to before `end`, oldest first."""
        for at in range(start, end, NANOSECONDS):
            if (second := self._all.get(at)) is not None:
                yield second

    @property
    def last(self) -> float:
        """The newest price; 0 where there is none."""
        for second in reversed(self._all.values()):
            if second.fold.priced:
                return second.fold.close
        return 0.0

    @property
    def newest(self) -> Second | None:
        return self._newest

    @property
    def bars(self) -> dict[int, Bar]:
        """Those that have a price, by their start, oldest first."""
        return {start: second.bar(self._symbol) for start, second in self._all.items() if second.fold.priced}
