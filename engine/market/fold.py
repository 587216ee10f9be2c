"""Open, high, low, close, volume of the prints of one second, whatever the order in which they come."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.normaliser.conditions import ALL, HIGH_LOW, LAST, VOLUME, updates

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

    def add(self, trades: Sequence[Trade]) -> None:
        """In one go when all are ordinary and in order, as nearly all are; else one by one."""
        times = [trade.timestamp for trade in trades]
        tape = trades[0].tape  # that of the symbol
        conditions = [trade.conditions for trade in trades]
        kinds = conditions[:1] if conditions.count(conditions[0]) == len(conditions) else set(conditions)
        ordinary = all(updates(tape, kind) == ALL for kind in kinds)
        if ordinary and times[0] > self.close_at and times == sorted(times) and _distinct_ends(times):
            self._add_in_order(trades, times)
        else:
            for trade in trades:
                self._add_one(trade)

    def _add_in_order(self, trades: Sequence[Trade], times: Sequence[int]) -> None:
        prices = [trade.price for trade in trades]
        sizes = [trade.size for trade in trades]
        self.volume += sum(sizes)
        self.turnover += sum(map(mul, prices, sizes))
        self.count += len(trades)
        self.high = max(self.high, max(prices))
        self.low = min(self.low, min(prices))
        if self.open_at < 0:
            self.open, self.open_at, self.open_id = prices[0], times[0], trades[0].trade_id
        self.close, self.close_at, self.close_id = prices[-1], times[-1], trades[-1].trade_id

    def _add_one(self, trade: Trade) -> None:
        effect, price, at = updates(trade.tape, trade.conditions), trade.price, trade.timestamp
        if effect & VOLUME:
            self.volume += trade.size
            self.turnover += price * trade.size
            self.count += 1
        if effect & HIGH_LOW:
            self.high, self.low = max(self.high, price), min(self.low, price)
        if effect & LAST:
            if at > self.close_at or (at == self.close_at and trade.trade_id >= self.close_id):
                self.close, self.close_at, self.close_id = price, at, trade.trade_id
            if self.open_at < 0 or at < self.open_at or (at == self.open_at and trade.trade_id < self.open_id):
                self.open, self.open_at, self.open_id = price, at, trade.trade_id

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


def _distinct_ends(times: Sequence[int]) -> bool:
    """Whether first and last alone have their time, so that no id has to decide."""
    return len(times) == 1 or (times[0] != times[1] and times[-1] != times[-2])
