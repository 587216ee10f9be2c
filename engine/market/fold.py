"""Open, high, low, close, volume of the prints of one second, whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.normaliser.conditions import HIGH_LOW, LAST, VOLUME, updates

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

    def add(self, trades: Iterable[Trade]) -> None:
        volume, turnover, count = self.volume, self.turnover, self.count
        for trade in trades:
            effect = updates(trade.tape, trade.conditions)
            price = trade.price
            if effect & VOLUME:
                size = trade.size
                volume += size
                turnover += price * size
                count += 1
            if effect & HIGH_LOW:
                if price > self.high:
                    self.high = price
                if price < self.low:
                    self.low = price
            if effect & LAST:
                at = trade.timestamp
                if at > self.close_at or (at == self.close_at and trade.trade_id >= self.close_id):
                    self.close, self.close_at, self.close_id = price, at, trade.trade_id
                if self.open_at < 0 or at < self.open_at or (at == self.open_at and trade.trade_id < self.open_id):
                    self.open, self.open_at, self.open_id = price, at, trade.trade_id
        self.volume, self.turnover, self.count = volume, turnover, count

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

    def take_back(self, trade: Trade) -> None:
        """The volume of a print that is no longer kept; its prices stay until the venue's own bar comes."""
        if updates(trade.tape, trade.conditions) & VOLUME:
            self.volume = max(self.volume - trade.size, 0.0)
            self.turnover = max(self.turnover - trade.price * trade.size, 0.0)
            self.count = max(self.count - 1, 0)

    def bar(self, symbol: str, timeframe: Timeframe, start: int, closed: bool, revision: int = 0) -> Bar:
        volume = self.volume
        return Bar(
            symbol, timeframe, start, self.open, max(self.high, self.open), min(self.low, self.open), self.close,
            volume, self.count, self.turnover / volume if volume else self.close, closed, revision,
        )  # fmt: skip
