"""What was printed of one symbol in the last minutes: by it a print that comes again is known, and one that was told wrongly
is found, so that its second can be built again.

An id is unique for an exchange and a day only, so exchange and time belong to it. Prints come in the order of their times,
nearly all: those that do are kept in columns, because a busy market prints thousands a second, and the others beside them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.domain.market import NANOSECONDS, Trade
from engine.market.batch import Correction
from engine.market.normaliser.conditions import NOTHING, Kind, kind_of

MOST = 20_000
"""Prints in the columns, and as many beside them; when there are more the older half is forgotten."""
AGE = 300 * NANOSECONDS
"""Before the newest print, by the tape's time: so long at least the others are kept."""


class Print(NamedTuple):
    price: float
    size: float
    time: int
    number: int
    """Its id at the exchange; 0 = it has none."""
    kind: Kind


class Tape:
    """Of one symbol. The columns are filled by `put`, and by the processor's loop over the trades of a batch."""

    __slots__ = ("_beside", "_nameless", "exchanges", "kinds", "numbers", "prices", "sizes", "times", "whole_from")

    def __init__(self) -> None:
        self.times = array("q")
        self.prices, self.sizes = array("d"), array("d")
        self.numbers: list[int] = []
        """Not an array: what a venue sends may be longer than 63 bits."""
        self.exchanges: list[str] = []
        self.kinds: list[Kind] = []
        self.whole_from = 0
        """Nothing of this time or later has been forgotten."""
        self._beside: dict[tuple[int, str, int], Print | None] = {}
        """By time, exchange and id, in the order in which they came: prints that were earlier than another, or took the
        place of a wrong one; None = known, but no print."""
        self._nameless = 0

    def put(self, trade: Trade) -> None:
        """One that is not earlier than any before it."""
        self.times.append(trade.timestamp)
        self.prices.append(trade.price)
        self.sizes.append(trade.size)
        self.numbers.append(trade.trade_id)
        self.exchanges.append(trade.exchange)
        self.kinds.append(kind_of(trade))

    def extend(
        self,
        times: Sequence[int],
        prices: Sequence[float],
        sizes: Sequence[float],
        numbers: Sequence[int],
        exchanges: Sequence[str],
        kinds: Sequence[Kind],
    ) -> None:
        """Several as `put` puts one."""
        self.times.extend(times)
        self.prices.extend(prices)
        self.sizes.extend(sizes)
        self.numbers.extend(numbers)
        self.exchanges.extend(exchanges)
        self.kinds.extend(kinds)

    def put_late(self, trade: Trade) -> None:
        self._put_beside(trade, trade.timestamp, trade.exchange)

    def _put_beside(self, trade: Trade, time: int, exchange: str) -> None:
        """One without an id gets a number of its own, or it would take the place of another of its time."""
        self._nameless -= 1
        key = time, exchange, trade.trade_id or self._nameless
        self._beside[key] = Print(trade.price, trade.size, time, trade.trade_id, kind_of(trade))

    def refuse(self, trade: Trade) -> None:
        """Know one that is no print."""
        self._beside[trade.timestamp, trade.exchange, trade.trade_id] = None

    def knows(self, trade: Trade) -> bool:
        """One without an id, which is 0, is never known."""
        return self.is_beside(trade.timestamp, trade.exchange, trade.trade_id) or (
            trade.trade_id != 0 and (trade.trade_id, trade.exchange) in self.at(trade.timestamp)
        )

    def is_beside(self, time: int, exchange: str, number: int) -> bool:
        """Whether it is known, but not by the columns."""
        return number != 0 and (time, exchange, number) in self._beside

    def at(self, time: int) -> set[tuple[int, str]]:
        """Id and exchange of the prints of this time in the columns; of the newest time all are."""
        first = bisect_left(self.times, time)
        last = bisect_right(self.times, time, first)
        return set(zip(self.numbers[first:last], self.exchanges[first:last], strict=True))

    def between(self, start: int, end: int) -> Iterator[Print]:
        """Of the times from `start` to before `end`, if they are from `whole_from` on; not in order."""
        first, last = bisect_left(self.times, start), bisect_left(self.times, end)
        yield from map(
            Print._make,
            zip(
                self.prices[first:last],
                self.sizes[first:last],
                self.times[first:last],
                self.numbers[first:last],
                self.kinds[first:last],
                strict=True,
            ),
        )
        yield from (one for one in self._beside.values() if one is not None and start <= one.time < end)

    def correct(self, correction: Correction) -> int:
        """Take a print back, or put another in its place; the time of it, -1 when it is not here any more.

        Both stay known, because they may come again.
        """
        time, new = self._take_back(correction), correction.replacement
        if time >= 0 and new is not None:
            self._put_beside(new, time, correction.exchange)
        return time

    def _take_back(self, correction: Correction) -> int:
        number, exchange, price = correction.trade_id, correction.exchange, correction.price
        for at in range(len(self.times) - 1, -1, -1):
            if (
                self.numbers[at] == number
                and self.prices[at] == price
                and self.exchanges[at] == exchange
                and self.kinds[at] is not NOTHING
            ):
                self.kinds[at] = NOTHING
                return self.times[at]
        for key, one in self._beside.items():
            if one is not None and (key[1], one.number, one.price) == (exchange, number, price):
                self._beside[key] = None
                return one.time
        return -1

    def forget_old(self) -> None:
        """What is older than its age, and half of what is too much."""
        times = self.times
        if not times:
            return
        oldest, count = times[-1] - AGE, len(times)
        forgotten = max(bisect_left(times, oldest), count // 2 if count > MOST else 0)
        if forgotten:
            self.whole_from = max(self.whole_from, times[forgotten - 1] + 1)
        for column in (times, self.prices, self.sizes, self.numbers, self.exchanges, self.kinds):
            del column[:forgotten]
        too_many = len(self._beside) // 2 if len(self._beside) > MOST else 0
        kept = {key: one for n, (key, one) in enumerate(self._beside.items()) if n >= too_many and key[0] >= oldest}
        if len(kept) < len(self._beside):
            self.whole_from = max(self.whole_from, 1 + max(key[0] for key in self._beside.keys() - kept.keys()))
        self._beside = kept
