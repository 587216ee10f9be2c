"""The exits of a bracket, one-triggers-other or one-cancels-other order: read, and checked against the entry's price."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.orders import Side
from engine.exchange.assets import Asset
from engine.exchange.numbers import CENT, read_price
from engine.exchange.refusals import invalid, unprocessable

BRACKET, OTO, OCO = "bracket", "oto", "oco"
_NAMES = ("take_profit", "stop_loss")


class Exits(msgspec.Struct, frozen=True, kw_only=True):
    """A take-profit limit, a stop-loss stop (a stop-limit with `stop_limit`), or both."""

    order_class: str
    take_profit: Decimal | None = None
    stop: Decimal | None = None
    stop_limit: Decimal | None = None


def read_exits(body: Mapping[str, Any], asset: Asset) -> Exits | None:
    """None for a simple order. Raises Refusal."""
    order_class = body.get("order_class")
    if body.get("legs") is not None:
        raise unprocessable("order_class must be simple, bracket, oco or oto: this exchange has no mleg orders")
    if order_class in (None, "", "simple"):
        for name in _NAMES:
            if body.get(name) is not None:
                raise unprocessable(f"simple orders must not have {name}")
        return None
    if order_class not in (BRACKET, OTO, OCO):
        raise unprocessable("order_class must be simple, bracket, oco or oto")
    profit, loss = (_section(body, name) for name in _NAMES)
    exits = Exits(
        order_class=order_class,
        take_profit=read_price(profit, "limit_price", asset),
        stop=read_price(loss, "stop_price", asset),
        stop_limit=read_price(loss, "limit_price", asset),
    )
    _check_complete(exits)
    return exits


def check_exits(exits: Exits, side: Side, base: Decimal) -> None:
    """The profit is beyond the price of the entry, the loss a cent or more before it. `side` is the entry's; an OCO
    order has no entry, so its exits only have to be on the right sides of each other. Raises Refusal.
    """
    profit, stop = exits.take_profit, exits.stop
    sign = side.sign
    if exits.order_class == OCO and profit is not None and stop is not None:
        if (profit - stop) * -sign < CENT:
            raise unprocessable("take_profit.limit_price and stop_loss.stop_price must be on both sides of the market")
        return
    if profit is not None and (profit - base) * sign < CENT:
        raise unprocessable(
            f"take_profit.limit_price must be {'>= base_price + 0.01' if sign > 0 else '<= base_price - 0.01'}"
        )
    if stop is not None and (base - stop) * sign < CENT:
        raise unprocessable(
            f"stop_loss.stop_price must be {'<= base_price - 0.01' if sign > 0 else '>= base_price + 0.01'}"
        )


def _section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def _check_complete(exits: Exits) -> None:
    if exits.stop_limit is not None and exits.stop is None:
        raise unprocessable("stop_loss.stop_price is required")
    given = (exits.take_profit is not None) + (exits.stop is not None)
    if exits.order_class == OTO and given != 1:
        raise unprocessable("oto orders require one of take_profit.limit_price and stop_loss.stop_price")
    if exits.order_class != OTO and given != 2:
        raise unprocessable(f"{exits.order_class} orders require take_profit.limit_price and stop_loss.stop_price")
