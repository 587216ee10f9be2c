"""When a stop goes off and how a trailing stop follows: pure functions of one order and one price."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from engine.domain.orders import OrderType, Side
from engine.exchange.orders import Working

_STEP = Decimal("0.0001")


@lru_cache(maxsize=1024)
def to_decimal(price: float) -> Decimal:
    """The shortest decimal that reads back as the same float, so 167.41 is 167.41 and nothing beside it."""
    return Decimal(repr(price))


def follow(working: Working, price: Decimal) -> None:
    """Move a trailing stop behind `price`; other orders keep their stop."""
    order = working.order
    if order.type is not OrderType.TRAILING_STOP:
        return
    mark = working.high_water_mark
    sell = order.side is Side.SELL
    if mark is not None and (price <= mark if sell else price >= mark):
        return
    distance = order.trail_price
    if distance is None:
        percent = order.trail_percent or Decimal(0)
        distance = (price * percent / 100).quantize(_STEP, ROUND_HALF_EVEN)
    working.high_water_mark = price
    working.stop = price - distance if sell else price + distance


def is_triggered(working: Working, price: Decimal) -> bool:
    """A buy stop goes off at or above its stop price, a sell stop at or below it."""
    if working.stop is None:
        return False
    return price >= working.stop if working.order.side is Side.BUY else price <= working.stop


def within_limit(working: Working, price: Decimal) -> bool:
    limit = working.limit
    return limit is None or (limit - price) * working.order.side.sign >= 0
