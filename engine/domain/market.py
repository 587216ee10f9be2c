"""Market data as it travels inside the house: trades, quotes and bars.

Times are int nanoseconds UTC since 1970. Prices and sizes are float64 here, because they are measured quantities that
end in arrays; money that is owed (orders, fills, cash) is Decimal, in `orders` and `portfolio`.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

NANOSECONDS = 1_000_000_000


class Timeframe(StrEnum):
    """The length of a bar."""

    SECOND_1 = "1s"
    MINUTE_1 = "1m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    HOUR_1 = "1h"
    HOUR_4 = "4h"
    DAY_1 = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self]

    @property
    def nanoseconds(self) -> int:
        return _SECONDS[self] * NANOSECONDS


_SECONDS = {
    Timeframe.SECOND_1: 1,
    Timeframe.MINUTE_1: 60,
    Timeframe.MINUTE_5: 300,
    Timeframe.MINUTE_15: 900,
    Timeframe.HOUR_1: 3_600,
    Timeframe.HOUR_4: 14_400,
    Timeframe.DAY_1: 86_400,
}


class Trade(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One print on the tape."""

    symbol: str
    price: float
    size: float
    timestamp: int
    exchange: str = ""
    conditions: tuple[str, ...] = ()
    trade_id: int = 0
    tape: str = ""
    """Who reports it: A and B are CTA's networks, C is UTP's; the same condition letter may differ between them."""


class Quote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The best bid and offer. A price of 0 means that side is absent."""

    symbol: str
    bid_price: float
    bid_size: float
    ask_price: float
    ask_size: float
    timestamp: int

    @property
    def mid(self) -> float:
        """The midpoint, or whichever side exists."""
        if self.bid_price > 0 and self.ask_price > 0:
            return (self.bid_price + self.ask_price) / 2
        return self.ask_price or self.bid_price


class Bar(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Open, high, low, close, volume of one interval; `timestamp` is its start.

    `closed` is False for the bar that is still being built. `vwap` is 0 where it is not known. `revision` counts how
    often a closed bar was changed by late prints, corrections or the venue's own bar; the higher one replaces the lower.
    """

    symbol: str
    timeframe: Timeframe
    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trade_count: int = 0
    vwap: float = 0.0
    closed: bool = True
    revision: int = 0


class IndicatorValues(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The indicators of one symbol after its closed bar that began at `timestamp`; again when that bar is revised.

    All are in the price's unit except `rsi` (0 to 100). Lengths are in engine/market/indicators/parameters.py.
    """

    symbol: str
    timestamp: int
    sma: float
    ema: float
    rsi: float
    macd: float
    macd_signal: float
    macd_histogram: float
    bollinger_upper: float
    bollinger_middle: float
    bollinger_lower: float
    atr: float
    vwap: float


def is_crypto(symbol: str) -> bool:
    """Alpaca writes crypto pairs with a slash, such as BTC/USD."""
    return "/" in symbol
