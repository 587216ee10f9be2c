"""Order requests as they come over the wire: read, checked field by field, and made into a Ticket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.assets import Asset, Catalogue
from engine.exchange.exits import OCO, Exits, read_exits
from engine.exchange.numbers import CENT, MAX_QUANTITY, SUBCENT, read_flag, read_number, read_price, read_word
from engine.exchange.orders import AUCTIONS, QUANTITY_STEP
from engine.exchange.refusals import invalid, unprocessable

MAX_ID = 128
_CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
_CRYPTO_TIMES = frozenset({TimeInForce.GTC, TimeInForce.IOC})

PRICE_FIELDS = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: (),
}
"""The prices that each type must have; the others it must not have."""


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """A valid order request. Exactly one of `quantity` and `notional` is given."""

    asset: Asset
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str = ""
    exits: Exits | None = None
    """The orders that a bracket, OTO or OCO order brings along."""

    @property
    def symbol(self) -> str:
        return self.asset.symbol


def read_order(body: Mapping[str, Any], catalogue: Catalogue) -> Ticket:
    """Raises Refusal with the venue's code for whatever is wrong with the request itself."""
    asset = _asset(body.get("symbol"), catalogue)
    type_ = read_word(body, "type", OrderType)
    exits = read_exits(body, asset)
    ticket = Ticket(
        asset=asset,
        side=read_word(body, "side", Side),
        type=type_,
        time_in_force=read_word(body, "time_in_force", TimeInForce),
        quantity=read_number(body, "qty", MAX_QUANTITY, QUANTITY_STEP),
        notional=read_number(body, "notional", MAX_QUANTITY, CENT),
        limit_price=_limit_price(body, asset, exits),
        stop_price=read_price(body, "stop_price", asset),
        trail_price=read_price(body, "trail_price", asset),
        trail_percent=read_number(body, "trail_percent", Decimal(100), SUBCENT),
        extended_hours=read_flag(body, "extended_hours"),
        client_order_id=read_client_order_id(body),
        exits=exits,
    )
    check_prices(ticket)
    _check_quantity(ticket)
    _check_time_in_force(ticket)
    _check_exits(ticket)
    return ticket


def read_client_order_id(body: Mapping[str, Any]) -> str:
    value = body.get("client_order_id")
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise invalid("client_order_id must be a string of printable characters")
    if len(value) > MAX_ID:
        raise invalid(f"client_order_id must be no more than {MAX_ID} characters")
    return value


def check_prices(ticket: Ticket) -> None:
    """Each type has the prices it needs and no others."""
    needed = PRICE_FIELDS[ticket.type]
    for name in ("limit_price", "stop_price"):
        given = getattr(ticket, name) is not None
        if name in needed and not given:
            raise invalid(f"{ticket.type.value.replace('_', ' ')} orders require {name.replace('_', ' ')}")
        if given and name not in needed:
            raise invalid(f"{ticket.type.value.replace('_', ' ')} orders must not have {name.replace('_', ' ')}")
    trails = (ticket.trail_price is not None) + (ticket.trail_percent is not None)
    if trails != (1 if ticket.type is OrderType.TRAILING_STOP else 0):
        raise invalid("trailing stop orders require one of trail_price and trail_percent, and only they take it")


def _limit_price(body: Mapping[str, Any], asset: Asset, exits: Exits | None) -> Decimal | None:
    """An OCO order is its own take-profit order, and may leave the price to that."""
    price = read_price(body, "limit_price", asset)
    return exits.take_profit if exits is not None and exits.order_class == OCO else price


def _check_exits(ticket: Ticket) -> None:
    exits = ticket.exits
    if exits is None:
        return
    if ticket.asset.is_crypto:
        raise unprocessable("crypto orders must be simple orders")
    if ticket.quantity is None or ticket.quantity != ticket.quantity.to_integral_value():
        raise unprocessable("fractional orders must be simple orders")
    if ticket.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC) or ticket.extended_hours:
        raise unprocessable(f"{exits.order_class} orders must be DAY or GTC orders without extended hours")
    if ticket.type is OrderType.TRAILING_STOP or (exits.order_class == OCO and ticket.type is not OrderType.LIMIT):
        raise unprocessable(f"invalid order type for {exits.order_class} order")


def _check_quantity(ticket: Ticket) -> None:
    if ticket.quantity is None and ticket.notional is None:
        raise invalid("qty or notional is required")
    if ticket.quantity is not None and ticket.notional is not None:
        raise invalid("only one of qty or notional is accepted")
    if ticket.notional is not None and ticket.type not in (OrderType.MARKET, OrderType.LIMIT):
        raise unprocessable("notional orders must be market or limit orders")
    whole = ticket.quantity is not None and ticket.quantity == ticket.quantity.to_integral_value()
    if whole or ticket.asset.is_crypto:
        return
    if ticket.time_in_force is not TimeInForce.DAY:
        raise unprocessable("fractional orders must be DAY orders")
    if ticket.type is OrderType.TRAILING_STOP:
        raise unprocessable("fractional orders must not be trailing stop orders")


def _check_time_in_force(ticket: Ticket) -> None:
    if ticket.asset.is_crypto:
        if ticket.time_in_force not in _CRYPTO_TIMES:
            raise unprocessable("invalid crypto time_in_force")
        if ticket.type not in _CRYPTO_TYPES:
            raise unprocessable("invalid order type for crypto order")
        return
    if ticket.time_in_force in AUCTIONS and ticket.type not in (OrderType.MARKET, OrderType.LIMIT):
        raise unprocessable("opg and cls orders must be market or limit orders")
    if ticket.extended_hours and (
        ticket.type is not OrderType.LIMIT or ticket.time_in_force not in (TimeInForce.DAY, TimeInForce.GTC)
    ):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if ticket.type not in (OrderType.MARKET, OrderType.LIMIT) and ticket.time_in_force in (
        TimeInForce.IOC,
        TimeInForce.FOK,
    ):
        raise unprocessable("stop orders must be DAY or GTC orders")


def _asset(name: object, catalogue: Catalogue) -> Asset:
    if name is None or name == "":
        raise invalid("symbol is required")
    asset = catalogue.find(name) if isinstance(name, str) else None
    if asset is None:
        raise unprocessable(f"asset {json.dumps(str(name)[:32])} not found")
    return asset
