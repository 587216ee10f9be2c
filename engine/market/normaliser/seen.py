"""Trades known by what identifies them, so that one which comes again after a reconnect is not counted twice.

An id is unique for an exchange and a day only, so exchange and time belong to it. Two generations of keys: when the
newer is full or old it takes the place of the older, which is forgotten as a whole.
"""

from __future__ import annotations

from engine.domain.market import NANOSECONDS

GENERATION = 10_000
"""Keys."""
GENERATION_AGE = 300 * NANOSECONDS
"""Of the tape's time."""

Key = tuple[int, str, int]


class Seen:
    """Of one symbol."""

    __slots__ = ("_newer", "_older", "_until")

    def __init__(self) -> None:
        self._newer: set[Key] = set()
        self._older: set[Key] = set()
        self._until = 0

    def add(self, trade_id: int, exchange: str, timestamp: int) -> bool:
        """False for one that was added before."""
        newer = self._newer
        key = (trade_id, exchange, timestamp)
        if key in newer or key in self._older:
            return False
        if timestamp > self._until or len(newer) >= GENERATION:
            self._older = newer
            self._newer = newer = set()
            self._until = timestamp + GENERATION_AGE
        newer.add(key)
        return True
