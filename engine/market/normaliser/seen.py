"""Trades known by what identifies them, so that one which comes again after a reconnect is not counted twice.

An id is unique for an exchange and a day only, so exchange and time belong to it. A print that is later than all before
it is new, whatever its id, as nearly all are: those are kept in columns, in the order of their times, and no hash is
computed for them.
"""

from __future__ import annotations

from bisect import bisect_left

from engine.domain.market import NANOSECONDS

MOST = 20_000
"""Prints known in each of the two ways; when there are more the older half is forgotten."""
AGE = 300 * NANOSECONDS
"""Before the newest print of the symbol, by the tape's time: so long at least others are known."""


class Seen:
    """Of one symbol."""

    __slots__ = ("_others", "exchanges", "ids", "newest", "times")

    def __init__(self) -> None:
        self.newest = 0
        """The time of the latest print, with an id or without."""
        self.times: list[int] = []
        """Of prints that were later than all before them."""
        self.ids: list[int] = []
        self.exchanges: list[str] = []
        self._others: dict[tuple[int, str, int], None] = {}
        """Time, exchange and id of the other prints, in the order in which they came."""

    def add(self, trade_id: int, exchange: str, timestamp: int) -> bool:
        """False for one that was added before; one without an id, which is 0, is always new."""
        if timestamp > self.newest:
            self.newest = timestamp
            self.times.append(timestamp)
            self.ids.append(trade_id)
            self.exchanges.append(exchange)
            return True
        other = timestamp, exchange, trade_id
        if not trade_id:
            return True
        if other in self._others or self._in_columns(*other):
            return False
        self._others[other] = None
        return True

    def forget_old(self) -> None:
        """What is older than its age, and half of what is too much."""
        oldest, count = self.newest - AGE, len(self.times)
        forgotten = max(bisect_left(self.times, oldest), count // 2 if count > MOST else 0)
        del self.times[:forgotten], self.ids[:forgotten], self.exchanges[:forgotten]
        too_many = len(self._others) // 2 if len(self._others) > MOST else 0
        self._others = {other: None for n, other in enumerate(self._others) if n >= too_many and other[0] >= oldest}

    def _in_columns(self, timestamp: int, exchange: str, trade_id: int) -> bool:
        at = bisect_left(self.times, timestamp)
        return (
            at < len(self.times)
            and self.times[at] == timestamp
            and self.ids[at] == trade_id
            and self.exchanges[at] == exchange
        )
