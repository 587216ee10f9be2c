"""The second of a symbol that is being built: where nearly all prints go."""

from __future__ import annotations

from engine.market.fold import Fold


class OpenSecond:
    """Of one symbol, for good: `Seconds` puts the next second in place of the one that ended."""

    __slots__ = ("end", "fold", "start")

    def __init__(self) -> None:
        self.fold = Fold()
        self.start = self.end = -1
        """Int nanoseconds UTC, the end excluded; -1 = there is none, so that no time is within it."""

    def open(self, start: int, end: int, fold: Fold) -> None:
        self.start, self.end, self.fold = start, end, fold

    def close(self) -> None:
        self.start = self.end = -1
