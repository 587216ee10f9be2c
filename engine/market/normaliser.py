"""Let through what can be true: positive finite numbers, each trade once, quotes that are not crossed or torn."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from functools import lru_cache

from engine.domain.market import Quote, Trade

IDS_KEPT = 20_000
"""Trade ids remembered for each symbol, to know one that comes again after a reconnect."""

NO_PRICE = frozenset({"2", "4", "7", "8", "9", "B", "C", "G", "H", "I", "M", "N", "P", "Q", "R", "U", "V", "W", "Z"})
"""Sale conditions whose prints do not set last, high and low: odd lots, averages, late, out of sequence …

Source: the sale condition matrices of the CTA and UTP specifications. Form T (extended hours) is not among them,
although it does not set the consolidated last: it is the ordinary print before and after the session, and a last price
that stood still there would mislead.
"""

NO_PRICE_FLAGS = (
    0x2  # cash
    | 0x4  # next day
    | 0x8  # seller's option
    | 0x20  # intermarket sweep
    | 0x200  # derivatively priced
    | 0x800  # sold last
    | 0x4000  # out of sequence
    | 0x40000  # stock option trade
    | 0x100000  # average price
    | 0x400000  # price variation
    | 0x1000000  # official close
    | 0x2000000  # prior reference price
    | 0x4000000  # official open
    | 0x80000000  # odd lot
)
"""The same for recordings, whose conditions are AlgoSeek's bit flags in hexadecimal, two digits or more.

Source: TradeConditionFlags of QuantConnect LEAN. Sweeps set the last price by CTA and UTP rules; the official bars of
the recordings leave them out, as their README says and their highs and lows show.
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
            elif trade.trade_id and not self._recent(trade.symbol).add(
                (trade.trade_id, trade.exchange, trade.timestamp)
            ):
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
    return _set_price(trade.conditions)


@lru_cache(maxsize=4_096)
def _set_price(conditions: tuple[str, ...]) -> bool:
    return all(_sets_price(condition) for condition in conditions)


def _sets_price(condition: str) -> bool:
    if len(condition) < 2:
        return condition not in NO_PRICE
    try:
        return not int(condition, 16) & NO_PRICE_FLAGS
    except ValueError:
        return True


class _Recent:
    """The newest trades of one symbol. An id is unique for an exchange and a day only, so the time belongs to it."""

    def __init__(self) -> None:
        self._order: deque[tuple[int, str, int]] = deque()
        self._keys: set[tuple[int, str, int]] = set()

    def add(self, key: tuple[int, str, int]) -> bool:
        if key in self._keys:
            return False
        self._keys.add(key)
        self._order.append(key)
        if len(self._order) > IDS_KEPT:
            self._keys.discard(self._order.popleft())
        return True
