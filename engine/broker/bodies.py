"""An order in Alpaca's words: the body that places it, and the one that puts it in another one's place. Amounts are text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.orders import Order, OrderClass, OrderType


def placing(order: Order) -> dict[str, Any]:
    body: dict[str, Any] = {
        "symbol": order.symbol,
        "qty": format(order.quantity, "f"),
        "side": order.side.value,
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.client_order_id,
    }
    prices = {"limit_price": order.limit_price, "stop_price": order.stop_price}
    trails = {"trail_price": order.trail_price, "trail_percent": order.trail_percent}
    return body | _texts(prices | trails) | _exits(order) | ({"extended_hours": True} if order.extended_hours else {})


def replacing(order: Order) -> dict[str, Any]:
    """All that may differ from the order whose place it takes, so that the venue need not guess what stays."""
    trailing = order.type is OrderType.TRAILING_STOP
    # The quantity of an exit follows from its group.
    is_exit = bool(order.leg_of) or order.order_class is OrderClass.OCO
    changes = {
        "limit_price": order.limit_price,
        "stop_price": None if trailing else order.stop_price,
        "trail": order.trail_percent if order.trail_price is None else order.trail_price,
        "qty": None if is_exit else order.quantity,
    }
    return _texts(changes) | {"client_order_id": order.client_order_id}


def _exits(order: Order) -> dict[str, Any]:
    if order.order_class is OrderClass.SIMPLE:
        return {}
    profit = order.limit_price if order.order_class is OrderClass.OCO else order.take_profit
    exits: dict[str, Any] = {"order_class": order.order_class.value}
    if profit is not None:
        exits["take_profit"] = {"limit_price": format(profit, "f")}
    if order.stop_loss is not None:
        exits["stop_loss"] = {"stop_price": format(order.stop_loss, "f")}
    return exits


def _texts(amounts: dict[str, Decimal | None]) -> dict[str, str]:
    return {name: format(value, "f") for name, value in amounts.items() if value is not None}
