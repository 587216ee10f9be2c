"""Symbols that a venue leaves out of its acknowledgement: asked for again, less and less often, and then given up in sight."""

from __future__ import annotations

from collections.abc import Iterable

FIRST_PAUSE = 2.0
"""Seconds until a missing symbol is asked for again; doubled each time."""
MOST_REQUESTS = 5


class Grants:
    """Times are monotonic seconds."""

    def __init__(self) -> None:
        self.granted: set[str] = set()
        """What the venue last said it sends."""
        self.refused: set[str] = set()
        """Wanted, asked for often enough, and not sent."""
        self._asked: dict[str, tuple[int, float]] = {}
        """By missing symbol: how often it was asked for again, and when it is due once more."""

    def told(self, granted: Iterable[str]) -> None:
        self.granted = set(granted)
        self.refused -= self.granted

    def refuse(self, symbols: Iterable[str]) -> None:
        """The venue said no; there is nothing to ask again."""
        self.refused |= set(symbols)

    def forget(self, symbols: Iterable[str]) -> None:
        """No longer wanted."""
        self.refused -= set(symbols)

    def lost(self) -> None:
        """The connection, and with it what was granted; what was refused may be granted by the next one."""
        self.granted.clear()
        self._asked.clear()

    def due(self, wanted: Iterable[str], now: float) -> tuple[list[str], list[str]]:
        """Those to be asked for now, and those that are given up now."""
        missing = set(wanted) - self.granted
        self._asked = {symbol: self._asked.get(symbol, (0, now + FIRST_PAUSE)) for symbol in missing}
        again = sorted(symbol for symbol, (_, at) in self._asked.items() if now >= at and symbol not in self.refused)
        given_up = [symbol for symbol in again if self._asked[symbol][0] >= MOST_REQUESTS]
        self.refused |= set(given_up)
        again = [symbol for symbol in again if symbol not in self.refused]
        for symbol in again:
            count = self._asked[symbol][0] + 1
            self._asked[symbol] = (count, now + FIRST_PAUSE * 2**count)
        return again, given_up
