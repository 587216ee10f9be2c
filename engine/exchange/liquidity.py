"""The market as the matching engine has last seen it, and what of it is left to take."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.market import Quote, Trade
from engine.domain.orders import Side
from engine.exchange.fills import FillModel
from engine.exchange.impact import Flow
from engine.exchange.orders import ZERO


class Liquidity:
    """What our orders took of a displayed size stays taken until the price there moves."""

    def __init__(self, model: FillModel) -> None:
        self.quotes: dict[str, Quote] = {}
        self.prints: dict[str, float] = {}
        self._model = model
        self._taken: dict[tuple[str, Side], tuple[float, Decimal]] = {}
        self._flows: dict[str, Flow] = {}

    def on_trade(self, trade: Trade) -> None:
        symbol = trade.symbol
        self.prints[symbol] = trade.price
        if self._model.has_impact:
            quote = self.quotes.get(symbol)
            flow = self._flows.setdefault(symbol, Flow())
            flow.add(trade.price if quote is None else quote.mid, trade.size)

    def forget(self, symbol: str) -> None:
        """What was seen is no longer true: nothing fills before something new is."""
        self.quotes.pop(symbol, None)
        self.prints.pop(symbol, None)
        self.refresh(symbol)

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

    def left(self, symbol: str, side: Side, price: float, displayed: float) -> Decimal | None:
        """What an order of `side` can still take of `displayed` units at `price`; None for any quantity."""
        offered = self._model.available(displayed)
        if offered is None:
            return None
        at, taken = self._taken.get((symbol, side), (price, ZERO))
        return max(offered - taken, ZERO) if at == price else offered

    def take(self, symbol: str, side: Side, price: float, quantity: Decimal) -> None:
        at, taken = self._taken.get((symbol, side), (price, ZERO))
        self._taken[symbol, side] = (price, quantity + (taken if at == price else ZERO))

    def refresh(self, symbol: str) -> None:
        """A print is new: nothing of it has been taken."""
        for side in Side:
            self._taken.pop((symbol, side), None)

    def impact(self, symbol: str, quantity: Decimal) -> float:
        """The relative move that taking `quantity` at once causes, by the square-root law with Y = 1."""
        flow = self._flows.get(symbol)
        return 0.0 if flow is None else flow.impact(float(quantity))
