"""The prints of one symbol in candles of a second: the only place where prints are folded into prices and volume.

The newest prints are kept beside the sums, so that one that was wrong can be taken back and its second built again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.batch import Correction
from engine.market.fold import Fold
from engine.market.hours import Hours

SECONDS_KEPT = 1_800
PRINTS_KEPT = 10_000
PRINTS_AGE = 60 * NANOSECONDS
"""Prints older than this, or beyond the number above, are known only by the sums of their second."""


class Second:
    """`told` is how many prints the growing candle that was last given out had; `whole` whether all prints are kept."""

    __slots__ = ("closed", "fold", "folded", "prints", "revision", "start", "told", "whole")

    def __init__(self, start: int) -> None:
        self.start = start
        self.fold = Fold()
        self.prints: list[Trade] = []
        self.folded = self.told = 0
        self.closed = False
        self.whole = True
        self.revision = 0

    def up_to_date(self) -> Fold:
        prints = self.prints
        if self.folded < len(prints):
            self.fold.add(prints[self.folded :] if self.folded else prints)
            self.folded = len(prints)
            if not self.whole:
                self.prints, self.folded = [], 0
        return self.fold

    def forget_prints(self) -> None:
        self.up_to_date()
        self.whole = False
        self.prints, self.folded = [], 0

    def build_again(self) -> None:
        self.fold, self.folded = Fold(), 0

    def bar(self, symbol: str) -> Bar:
        return self.up_to_date().bar(symbol, Timeframe.SECOND_1, self.start, self.closed, self.revision)


class Seconds:
    """Oldest first, bounded. `late` collects what changed behind the newest second."""

    def __init__(self, symbol: str, hours: Hours) -> None:
        self.late: dict[int, Second] = {}
        self.outside = 0
        """Prints outside of the hours in which candles are built."""
        self.too_old = 0
        """Prints of a time before all that is kept."""
        self._symbol = symbol
        self._hours = hours
        self._all: dict[int, Second] = {}
        self._newest: Second | None = None
        self._newest_start = -1
        self.open_prints: list[Trade] = []
        """The prints of the newest second while it is open, and its time: where nearly all prints go."""
        self.open_start = self.open_end = -1
        self._whole: list[Second] = []
        """Those whose prints are kept, oldest first."""
        self._kept = 0

    def add(self, trade: Trade) -> bool:
        """True when there is something to close or to tell: a new second, or a closed one that changed."""
        at = trade.timestamp
        if self.open_start <= at < self.open_end:
            self.open_prints.append(trade)
            return False
        return self._place(at - at % NANOSECONDS, trade)

    def _place(self, start: int, trade: Trade) -> bool:
        second = self._all.get(start) or self._begin(start)
        if second is None:
            return False
        second.prints.append(trade)
        if start < self._newest_start or second.closed:
            self.late[start] = second
        return True

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
            self.open_prints, self.open_start, self.open_end = second.prints, start, start + NANOSECONDS
        else:
            self._all = dict(sorted(self._all.items()))
        self._whole.append(second)
        self._forget_old()
        return second

    def _forget_old(self) -> None:
        if len(self._all) > SECONDS_KEPT:
            del self._all[next(iter(self._all))]
        self._kept = sum(len(second.prints) for second in self._whole)
        while len(self._whole) > 1 and (
            self._kept > PRINTS_KEPT or self._whole[0].start < self._newest_start - PRINTS_AGE
        ):
            oldest = self._whole.pop(0)
            self._kept -= len(oldest.prints)
            oldest.forget_prints()

    def correct(self, correction: Correction) -> bool:
        """Take a print back, or put another in its place. False when it is not among those that are kept."""
        for second in reversed(self._whole):
            for index, trade in enumerate(second.prints):
                if (
                    trade.trade_id == correction.trade_id
                    and trade.exchange == correction.exchange
                    and trade.price == correction.price
                ):
                    self._replace(second, index, correction.replacement)
                    return True
        return False

    def _replace(self, second: Second, index: int, new: Trade | None) -> None:
        old = second.prints[index]
        if new is None:
            del second.prints[index]
        else:
            second.prints[index] = Trade(
                old.symbol, new.price, new.size, old.timestamp, old.exchange, new.conditions, new.trade_id, old.tape
            )
        second.build_again()
        second.told = -1
        if second.closed or second is not self._newest:
            self.late[second.start] = second

    def close_before(self, time: int) -> list[Second]:
        """Those that ended at or before `time` and were open, oldest first."""
        closed: list[Second] = []
        for second in reversed(self._all.values()):
            if second.closed:
                break
            if second.start + NANOSECONDS <= time:
                second.closed = True
                second.up_to_date()
                closed.append(second)
        if closed and closed[0] is self._newest:
            self.open_start = self.open_end = -1
        closed.reverse()
        return closed

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
            if (fold := second.up_to_date()).priced:
                return fold.close
        return 0.0

    @property
    def newest(self) -> Second | None:
        return self._newest

    @property
    def bars(self) -> dict[int, Bar]:
        """Those that have a price, by their start, oldest first."""
        return {start: second.bar(self._symbol) for start, second in self._all.items() if second.up_to_date().priced}
