"""Bars from prints: the minute that grows, and the day that it belongs to."""

from __future__ import annotations

import msgspec

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.normaliser.conditions import HIGH_LOW, LAST, VOLUME


class Candle(msgspec.Struct, kw_only=True):
    """One bar while it grows. Without a price-setting print `open` is 0 and the bar is not shown."""

    start: int
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    volume: float = 0.0
    turnover: float = 0.0
    trade_count: int = 0

    def add(self, trade: Trade, updates: int) -> None:
        """`updates` as in engine.market.normaliser.conditions."""
        price, size = trade.price, trade.size
        if updates & VOLUME:
            self.volume += size
            self.turnover += price * size
            self.trade_count += 1
        if updates & HIGH_LOW:
            self.high = max(self.high, price)
            self.low = min(self.low or price, price)
        if updates & LAST:
            self.open = self.open or price
            self.close = price

    def join(self, bar: Bar, sets_price: bool = True) -> None:
        """Add a bar that follows in time; its volume alone when it sets no price."""
        self.volume += bar.volume
        self.turnover += bar.volume * bar.vwap
        self.trade_count += bar.trade_count
        if not sets_price or bar.open == 0.0:
            return
        if self.open == 0.0:
            self.open = bar.open
        self.high, self.low, self.close = max(self.high, bar.high), min(self.low or bar.low, bar.low), bar.close

    def rescale(self, factor: float) -> None:
        self.open, self.high, self.low, self.close = (
            round(price * factor, 4) for price in (self.open, self.high, self.low, self.close)
        )
        self.turnover *= factor

    def bar(self, symbol: str, timeframe: Timeframe, closed: bool) -> Bar:
        vwap = round(self.turnover / self.volume, 6) if self.volume else self.close
        return Bar(
            symbol,
            timeframe,
            self.start,
            self.open,
            self.high,
            self.low,
            self.close,
            round(self.volume, 9),
            self.trade_count,
            vwap,
            closed,
        )
