"""Trades known by what identifies them, so that one which comes again after a reconnect is not counted twice.

An id is unique for an exchange and a day only, so exchange and time belong to it. Two generations of ids: when the newer
is full or old it takes the place of the older, which is forgotten as a whole. Plain numbers in dictionaries, and no key
objects, because every print passes here.
"""

from __future__ import annotations

from engine.domain.market import NANOSECONDS

GENERATION = 10_000
"""Ids."""
GENERATION_AGE = 300 * NANOSECONDS
"""Of the tape's time."""

_NONE: dict[int, int] = {}


class Seen:
    """Of one symbol."""

    __slots__ = ("_again", "_count", "_newer", "_older", "_until")

    def __init__(self) -> None:
        self._newer: dict[str, dict[int, int]] = {}
        """Time by id, by exchange."""
        self._older: dict[str, dict[int, int]] = {}
        self._again: set[tuple[int, str, int]] = set()
        """Of ids that came with more than one time, the later ones."""
        self._count = self._until = 0

    def add(self, trade_id: int, exchange: str, timestamp: int) -> bool:
        """False for one that was added before."""
        ids = self._newer.get(exchange)
        if ids is None:
            ids = self._newer[exchange] = {}
        known = ids.get(trade_id)
        if known == timestamp or (self._again and (trade_id, exchange, timestamp) in self._again):
            return False
        if self._older and self._older.get(exchange, _NONE).get(trade_id) == timestamp:
            return False
        if known is None:
            ids[trade_id] = timestamp
        else:
            self._again.add((trade_id, exchange, timestamp))
        self._count += 1
        if self._count >= GENERATION or timestamp > self._until:
            self._turn(timestamp)
        return True

    def _turn(self, timestamp: int) -> None:
        self._older, self._newer = self._newer, {}
        self._again.clear()
        self._count, self._until = 0, timestamp + GENERATION_AGE
