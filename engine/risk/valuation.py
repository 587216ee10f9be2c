"""What an order is worth before it trades: never less than it is likely to cost."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.domain.orders import Order, OrderRequest, OrderType, Side
from engine.domain.portfolio import ZERO

if TYPE_CHECKING:
    from engine.risk.context import PriceView

MARGIN = Decimal("1.03")
"""An order without a limit is valued 3 % above the market, as Alpaca does."""
_HUNDRED = Decimal(100)


def reference(view: PriceView | None, side: Side) -> Decimal | None:
    """What an order would trade at: the far side of the quote, or the last price."""
    if view is None:
        return None
    far = view.ask if side is Side.BUY else view.bid
    return as_price(far if far > 0 else view.last)


@lru_cache(maxsize=4_096)
def as_price(value: float) -> Decimal | None:
    """None for what is no price."""
    # NaN compares false, so it is refused with zero and negative ones.
    return Decimal(repr(value)) if 0 < value != float("inf") else None


def order_price(request: OrderRequest, view: PriceView | None, opens_short: bool) -> Decimal | None:
    """Dollars for one share or coin; None when there is nothing to value it by."""
    if request.side is Side.BUY:
        return _buying_price(request, view)
    # What is sold short must be bought back, at the ask.
    market = reference(view, Side.BUY if opens_short else Side.SELL)
    limit = request.limit_price
    if market is None:
        return limit
    if limit is not None:
        return max(limit, market)
    market = max(market, request.stop_price or ZERO)
    return market * MARGIN if opens_short else market


def _buying_price(request: OrderRequest, view: PriceView | None) -> Decimal | None:
    if request.limit_price is not None:
        return request.limit_price
    ask = reference(view, Side.BUY)
    if ask is None:
        return None
    if request.type is OrderType.TRAILING_STOP:
        return trailing_stop(request, ask) * MARGIN
    return max(ask, request.stop_price or ZERO) * MARGIN


def trailing_stop(request: OrderRequest, market: Decimal) -> Decimal:
    """Where the stop of a trailing order begins."""
    trail = request.trail_price or market * (request.trail_percent or ZERO) / _HUNDRED
    return market + request.side.sign * trail


def working_value(order: Order, mark: Decimal) -> Decimal:
    """Dollars that an open order may still trade; `mark` is the symbol's price, 0 where none is known."""
    if order.limit_price is not None:
        return order.remaining * order.limit_price
    price = max(mark, order.stop_price or ZERO)
    return order.remaining * (price * MARGIN if order.side is Side.BUY else price)


def exposure(held: Decimal, buys: Decimal, sells: Decimal) -> Decimal:
    """The most that one symbol can come to, whichever of its open orders fill.

    All three in dollars or all in units; `held` signed, the others not.
    """
    return max(abs(held), abs(held + buys), abs(held - sells))


class Sums:
    """A total of Decimals by key, kept up to date one key at a time."""

    def __init__(self) -> None:
        self.total = ZERO
        self._values: dict[str, Decimal] = {}

    def put(self, key: str, value: Decimal) -> None:
        self.total += value - self._values.get(key, ZERO)
        if value:
            self._values[key] = value
        else:
            self._values.pop(key, None)
