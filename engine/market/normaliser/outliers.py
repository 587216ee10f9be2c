"""Whether a price can be true: near the quote, or near what was printed lately, on a scale that outliers cannot move.

The scale is the median absolute deviation of the newest prints from the midpoint (or from their own median where there
is no quote), times 1.4826, which makes it a standard deviation for normal noise (Hampel, 1974). A price that stays away
is true after all: the fifth print in a row that agrees with the others is believed, and the scale begins anew.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from statistics import median

from engine.domain.market import NANOSECONDS, Quote, Trade

WINDOW = 64
"""Prints that the scale is made of."""
WIDTH = 12.0
"""Scales that a price may lie outside the quote."""
LEAST_SHARE = 0.02
"""Of the price: what is always allowed, so that a quiet stock may jump."""
EVERY, EVERY_LATER = 8, 32
"""Prints that are learnt from one measurement to the next, before and after the window is full. A price that is outside the
band is measured by the newest prints anyway."""
QUOTE_LIFE = 10 * NANOSECONDS
CONFIRMATIONS = 5


LOWEST, HIGHEST = math.ulp(0.0), sys.float_info.max
"""No band reaches beyond them, so that a price between `low` and `high` is above zero and finite."""


class PriceBand:
    """Of one symbol. Read `low` and `high` first; ask `believes` only about a price that is not between them."""

    __slots__ = ("_ask", "_bid", "_learnt", "_prints", "_quoted_at", "_strange", "high", "low")

    def __init__(self) -> None:
        self.low, self.high = LOWEST, HIGHEST
        self._bid = self._ask = 0.0
        self._quoted_at = 0
        self._learnt = 0
        self._prints: deque[float] = deque(maxlen=WINDOW)
        self._strange: list[float] = []

    def quote(self, quote: Quote) -> None:
        if quote.bid_price > 0 and quote.ask_price > 0:
            self._bid, self._ask, self._quoted_at = quote.bid_price, quote.ask_price, quote.timestamp

    def learn(self, trade: Trade) -> None:
        """A print that is believed; a sample of them is enough."""
        self._prints.append(trade.price)
        self._learnt += 1
        if self._learnt % (EVERY if self._learnt <= WINDOW else EVERY_LATER) == 0:
            self._measure(trade.timestamp)

    def believes(self, trade: Trade) -> bool:
        """For a price outside the band: look again at the quote of now, then at the prints that came before it."""
        if len(self._prints) >= EVERY:
            self._measure(trade.timestamp)
        if self.low <= trade.price <= self.high:
            self._strange.clear()
            return True
        near = LEAST_SHARE * trade.price
        self._strange = [price for price in self._strange if abs(price - trade.price) <= near]
        self._strange.append(trade.price)
        if len(self._strange) < CONFIRMATIONS:
            return False
        self._prints.clear()
        self._prints.extend(self._strange)
        self._strange.clear()
        self.low, self.high = LOWEST, HIGHEST
        return True

    def _measure(self, now: int) -> None:
        centre = median(self._prints)
        scale = 1.4826 * median(abs(price - centre) for price in self._prints)
        slack = max(WIDTH * scale, LEAST_SHARE * centre)
        low = high = centre
        if now - self._quoted_at <= QUOTE_LIFE:
            low, high = min(low, self._bid), max(high, self._ask)
        self.low, self.high = max(low - slack, LOWEST), min(high + slack, HIGHEST)
