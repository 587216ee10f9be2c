"""Fields of a request as they come over the wire: objects, numbers, prices, words and flags, each checked as it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from engine.exchange.assets import Asset
from engine.exchange.orders import QUANTITY_STEP
from engine.exchange.refusals import invalid, malformed, unprocessable

MAX_QUANTITY = Decimal(10) ** 9
MAX_PRICE = Decimal(10) ** 8
_ONE = Decimal(1)
CENT, SUBCENT = Decimal("0.01"), Decimal("0.0001")
_NUMBER = re.compile(r"[+-]?[0-9]{0,30}\.?[0-9]{0,30}([eE][+-]?[0-9]{1,3})?")
_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
"""The usual quantity: there is nothing to round, for no step is above one."""
_WORDS = TypeVar("_WORDS", bound=StrEnum)


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object with its numbers as Decimal. Raises Refusal when the body is anything else."""
    try:
        found = _decode(body.decode())
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise malformed("request body format is invalid") from error
    if not isinstance(found, dict):
        raise malformed("request body format is invalid")
    return found


def read_number(body: Mapping[str, Any], name: str, largest: Decimal, step: Decimal) -> Decimal | None:
    """A number above 0, given as a number or as text, rounded to `step`; None when it is missing."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value) and (whole := Decimal(value)) <= largest:
        return whole
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
    step = CENT if price >= 1 else SUBCENT
    if price != price.quantize(step):
        raise unprocessable(f"invalid {name} {price:f}. sub-penny increment does not fulfill minimum pricing criteria")
    return price


def read_word(body: Mapping[str, Any], name: str, words: type[_WORDS]) -> _WORDS:
    value = body.get(name)
    if value is None or value == "":
        raise invalid(f"{name} is required")
    # Calling the class takes five times as long.
    found = words._value2member_map_.get(value) if isinstance(value, str) else None
    if not isinstance(found, words):
        raise invalid(f"invalid {name}")
    return found


def read_flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return bool(value)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return number.normalize() if number != number.to_integral_value() else number.quantize(_ONE)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


# json.loads would build a decoder for every request.
_decode = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant).decode
