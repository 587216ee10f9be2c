"""Let through what can be true: positive finite numbers, each trade once, quotes that are not crossed or torn."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from engine.domain.market import Quote, Trade

IDS_KEPT = 20_000
"""Trade ids remembered for each symbol, to know one that comes again after a reconnect."""

NO_PRICE = frozenset({"4", "7", "9", "B", "C", "G", "H", "I", "M", "N", "P", "Q", "R", "T", "U", "V", "W", "Z"})
"""Sale conditions whose prints do not set the last price: odd lots, averages, late, out of sequence, extended hours …

Source: CTA and UTP specifications, "sale condition matrix", as Alpaca documents it for its bars.
"""


class Normaliser:
    def __init__(self) -> None:
        self.rejected = 0
        self.duplicates = 0
        self._seen: dict[str, _Recent] = {}

    def trades(self, trades: Iterable[Trade]) -> list[Trade]:
        kept: list[Trade] = []
        for trade in trades:
            if not (0 < trade.price < math.inf and 0 < trade.size < math.inf and trade.timestamp > 0):
                self.rejected += 1
            elif trade.trade_id and not self._recent(trade.symbol).add(trade.trade_id, trade.exchange):
                self.duplicates += 1
            else:
                kept.append(trade)
        return kept

    def quotes(self, quotes: Iterable[Quote]) -> list[Quote]:
        """A crossed quote (bid above ask) is a torn one; a locked one happens."""
        kept: list[Quote] = []
        for quote in quotes:
            bid, ask = quote.bid_price, quote.ask_price
            sound = 0 <= bid < math.inf and 0 <= ask < math.inf and quote.timestamp > 0
            if not sound or (bid > 0 and ask > 0 and bid > ask):
                self.rejected += 1
            else:
                kept.append(quote)
        return kept

    def _recent(self, symbol: str) -> _Recent:
        if symbol not in self._seen:
            self._seen[symbol] = _Recent()
        return self._seen[symbol]


def sets_price(trade: Trade) -> bool:
    """Whether the print may move last, high and low; its size counts as volume in any case."""
    return NO_PRICE.isdisjoint(trade.conditions)


class _Recent:
    """The newest ids of one symbol; ids are unique per exchange only."""

    def __init__(self) -> None:
        self._order: deque[tuple[int, str]] = deque()
        self._ids: set[tuple[int, str]] = set()

    def add(self, trade_id: int, exchange: str) -> bool:
        key = (trade_id, exchange)
        if key in self._ids:
            return False
        self._ids.add(key)
        self._order.append(key)
        if len(self._order) > IDS_KEPT:
            self._ids.discard(self._order.popleft())
        return True
