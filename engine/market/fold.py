"""Open, high, low, close, volume of the prints of one second, whatever the order in which they come."""

from __future__ import annotations

from engine.domain.market import Bar, Timeframe
from engine.market.normaliser.conditions import HIGH_LOW, LAST, VOLUME, Kind

LATE = float("inf")


class Fold:
    """Sums that grow. `count` and `turnover` are those of prints that count for the volume.

    The times of the prints that gave open and close are kept: an earlier or later one takes their place whenever it
    comes. Of prints of the same nanosecond the one with the lower id is the earlier; without ids the first to come.
    """

    __slots__ = (
        "close", "close_at", "close_id", "count", "high", "low", "open", "open_at", "open_id", "turnover", "volume",
    )  # fmt: skip

    def __init__(self) -> None:
        self.open = self.close = 0.0
        self.high, self.low = -LATE, LATE
        self.open_at = self.close_at = -1
        self.open_id = self.close_id = 0
        self.count = 0
        self.volume = self.turnover = 0.0

    @property
    def priced(self) -> bool:
        """Whether a print that may be the last price was in it: without one there is no candle."""
        return self.close_at >= 0

    @property
    def sums(self) -> tuple[float, ...]:
        """What changes when a print is added that has any effect."""
        return self.count, self.turnover, self.open, self.close, self.high, self.low

    def add(self, price: float, size: float, at: int, number: int, kind: Kind) -> None:
        """A print; the processor's loop over a batch does the same with one that is the newest and may update all."""
        effect = kind.effect
        if effect & VOLUME:
            self.volume += size
            self.turnover += price * size
            self.count += 1
        if effect & HIGH_LOW:
            self.high, self.low = max(self.high, price), min(self.low, price)
        if effect & LAST:
            if at > self.close_at or (at == self.close_at and number >= self.close_id):
                self.close, self.close_at, self.close_id = price, at, number
            if self.open_at < 0 or at < self.open_at or (at == self.open_at and number < self.open_id):
                self.open, self.open_at, self.open_id = price, at, number

    def join(self, later: Fold) -> None:
        """Add a fold of a later time."""
        self.count += later.count
        self.volume += later.volume
        self.turnover += later.turnover
        if later.high > self.high:
            self.high = later.high
        if later.low < self.low:
            self.low = later.low
        if later.close_at >= 0:
            if self.close_at < 0:
                self.open, self.open_at = later.open, later.open_at
            self.close, self.close_at = later.close, later.close_at

    def bar(self, symbol: str, timeframe: Timeframe, start: int, closed: bool, revision: int = 0) -> Bar:
        volume = self.volume
        return Bar(
            symbol, timeframe, start, self.open, max(self.high, self.open), min(self.low, self.open), self.close,
            volume, self.count, self.turnover / volume if volume else self.close, closed, revision,
        )  # fmt: skip
