"""Whether a feed owes candles: prints come in and none of them becomes one, or a connected stream has fallen mute.

A market in which nothing trades owes none, however open it is; nor do a few prints that set no price, such as odd lots.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.market.line import Line
from engine.market.sources.watchdog import ChannelState

FIRST_RUN = 50
"""Prints without a candle that are taken for usual before any was seen."""
UNUSUAL = 2
"""Times the longest run of prints that a candle ended."""


class Owed:
    """Asked once a second; the longest run of prints to a candle is learned from this feed's own day."""

    def __init__(self) -> None:
        self._prints = self._candles = 0
        self._usual = FIRST_RUN

    def look(self, lines: Collection[Line], candles: int) -> bool:
        """`candles` counts those closed so far."""
        return self.by_prints(
            sum(line.prints for line in lines), candles, all(line.caught_up for line in lines)
        ) or any(line.connected and ChannelState.MUTE in line.channels.values() for line in lines)

    def by_prints(self, prints: int, candles: int, caught_up: bool) -> bool:
        """While missed prints are read, new ones wait for them and owe nothing."""
        run = prints - self._prints
        if candles != self._candles or not caught_up:
            self._usual = max(self._usual, run) if caught_up else self._usual
            self._prints, self._candles = prints, candles
            return False
        return run > UNUSUAL * self._usual
