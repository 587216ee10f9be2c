"""The market as the matching engine has last seen it: a quote and a print for each symbol."""

from __future__ import annotations

from engine.domain.market import Quote
from engine.domain.orders import Side


class Seen:
    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        self.prints: dict[str, float] = {}

    def meets(self, symbol: str, side: Side) -> tuple[float, float]:
        """Price and displayed size that an order of `side` meets; 0 when there is none. Without a quote it is the last
        print, whose size says nothing of what stands there.
        """
        quote = self.quotes.get(symbol)
        if quote is None:
            return self.prints.get(symbol, 0.0), 0.0
        if side is Side.BUY:
            return quote.ask_price, quote.ask_size
        return quote.bid_price, quote.bid_size
