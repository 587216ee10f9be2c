"""Order requests as they come over the wire: read, checked field by field, and made into a Ticket."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

import msgspec

from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.assets import Asset, Catalogue
from engine.exchange.orders import QUANTITY_STEP
from engine.exchange.refusals import invalid, malformed, unprocessable

MAX_QUANTITY = Decimal(10) ** 9
MAX_PRICE = Decimal(10) ** 8
MAX_ID = 128
_CENT, _SUBCENT, _CRYPTO_STEP = Decimal("0.01"), Decimal("0.0001"), QUANTITY_STEP
_CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
_CRYPTO_TIMES = frozenset({TimeInForce.GTC, TimeInForce.IOC})
_NUMBER = re.compile(r"[+-]?[0-9]{0,30}\.?[0-9]{0,30}([eE][+-]?[0-9]{1,3})?")
_WORDS = TypeVar("_WORDS", bound=StrEnum)

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

    @property
    def symbol(self) -> str:
        return self.asset.symbol


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object with its numbers as Decimal. Raises Refusal when the body is anything else."""
    try:
        found = json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise malformed("request body format is invalid") from error
    if not isinstance(found, dict):
        raise malformed("request body format is invalid")
    return found


def read_order(body: Mapping[str, Any], catalogue: Catalogue) -> Ticket:
    """Raises Refusal with the venue's code for whatever is wrong with the request itself."""
    asset = _asset(body.get("symbol"), catalogue)
    type_ = _word(body, "type", OrderType)
    ticket = Ticket(
        asset=asset,
        side=_word(body, "side", Side),
        type=type_,
        time_in_force=_word(body, "time_in_force", TimeInForce),
        quantity=read_number(body, "qty", MAX_QUANTITY, QUANTITY_STEP),
        notional=read_number(body, "notional", MAX_QUANTITY, _CENT),
        limit_price=read_price(body, "limit_price", asset),
        stop_price=read_price(body, "stop_price", asset),
        trail_price=read_price(body, "trail_price", asset),
        trail_percent=read_number(body, "trail_percent", Decimal(100), _SUBCENT),
        extended_hours=_flag(body, "extended_hours"),
        client_order_id=read_client_order_id(body),
    )
    check_class(body)
    check_prices(ticket)
    _check_quantity(ticket)
    _check_time_in_force(ticket)
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


def read_number(body: Mapping[str, Any], name: str, largest: Decimal, step: Decimal) -> Decimal | None:
    """A number above 0, given as a number or as text, rounded to `step`; None when it is missing."""
    value = body.get(name)
    if value is None:
        return None
    number = to_number(value, name)
    if number <= 0:
        raise invalid(f"{name} must be > 0")
    if number > largest:
        raise invalid(f"{name} must be <= {largest:f}")
    rounded = number.quantize(step, ROUND_HALF_EVEN)
    if rounded <= 0:
        raise invalid(f"{name} must be >= {step:f}")
    return _plain(rounded)


def to_number(value: object, name: str) -> Decimal:
    # Decimal reads more than the venue: underscores, blanks and the digits of every script.
    if not isinstance(value, Decimal) and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise invalid(f"{name} must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise invalid(f"{name} must be a number") from error
    if not number.is_finite():
        raise invalid(f"{name} must be a number")
    return number


def read_price(body: Mapping[str, Any], name: str, asset: Asset) -> Decimal | None:
    """A price in the asset's increments: cents from one dollar on, hundredths of a cent below. Raises Refusal."""
    value = body.get(name)
    if value is None:
        return None
    price = read_number({name: value}, name, MAX_PRICE, QUANTITY_STEP)
    if price is None or asset.is_crypto:
        return price
    step = _CENT if price >= 1 else _SUBCENT
    if price != price.quantize(step):
        raise unprocessable(f"invalid {name} {price:f}. sub-penny increment does not fulfill minimum pricing criteria")
    return price


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


def check_class(body: Mapping[str, Any]) -> None:
    if body.get("order_class") not in (None, "", "simple"):
        raise unprocessable("order_class must be simple: this exchange has no bracket, oco, oto or mleg orders")
    for name in ("take_profit", "stop_loss", "legs"):
        if body.get(name) is not None:
            raise unprocessable(f"simple orders must not have {name}")


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
    if ticket.time_in_force in (TimeInForce.OPG, TimeInForce.CLS):
        raise unprocessable("opg and cls orders are not accepted: this exchange has no auctions")
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


def _word(body: Mapping[str, Any], name: str, words: type[_WORDS]) -> _WORDS:
    value = body.get(name)
    if value is None or value == "":
        raise invalid(f"{name} is required")
    try:
        return words(value)
    except ValueError as error:
        raise invalid(f"invalid {name}") from error


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return bool(value)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return number.normalize() if number != number.to_integral_value() else number.quantize(Decimal(1))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
