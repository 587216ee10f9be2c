"""Open orders of which only one can trade: the exits of one position, an order and what is to take its place.

Of such a group the largest counts, in units and in dollars; two exits of ten shares each sell ten. Exits that are held
back until their entry has filled do not count at all, because they cannot trade before there is what they close.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from engine.domain.orders import Order, OrderStatus, Side
from engine.domain.portfolio import ZERO
from engine.risk.valuation import working_value


def units_of(working: Sequence[Order], side: Side) -> Decimal:
    """Units that these open orders of one symbol may still trade on that side."""
    return _sum(working, side, lambda order: order.remaining)


def value_of(working: Sequence[Order], side: Side, mark: Decimal) -> Decimal:
    """Dollars that they may still trade; `mark` is the symbol's price, 0 where none is known."""
    return _sum(working, side, lambda order: working_value(order, mark))


def without(order: Order, working: Sequence[Order]) -> list[Order]:
    """What could trade beside `order`: all but itself and those of its group."""
    known = {one.client_order_id: one for one in (*working, order)}
    own = _group(order, known)
    return [one for one in working if one.side is not order.side or _group(one, known) != own]


def _sum(working: Sequence[Order], side: Side, measure: Callable[[Order], Decimal]) -> Decimal:
    if not any(order.leg_of or order.replaces for order in working):
        return sum((measure(order) for order in working if order.side is side), ZERO)
    known = {order.client_order_id: order for order in working}
    most: dict[str, Decimal] = {}
    for order in working:
        if order.side is side and not (order.leg_of and order.status is OrderStatus.HELD):
            key = _group(order, known)
            most[key] = max(most.get(key, ZERO), measure(order))
    return sum(most.values(), ZERO)


def _group(order: Order, known: dict[str, Order]) -> str:
    """The order that stands for the group: what brought an exit along, or the first of those that replace each other."""
    while order.replaces in known and not order.leg_of:
        order = known[order.replaces]
    return order.leg_of or order.client_order_id
