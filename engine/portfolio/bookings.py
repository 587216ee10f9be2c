"""Whose a booking is: the venue knows one account, and we divide what it books among the sleeves."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from engine.broker.base import VenueBooking
from engine.domain.portfolio import ZERO, BookingPart, Position

SPLIT, DIVIDEND, CASH_IN_LIEU, CRYPTO_FEE, FEE, INTEREST, TRANSFER = (
    "SPLIT", "DIV", "CIL", "CFEE", "FEE", "INT", "TRANSFER",
)  # fmt: skip
KINDS = (SPLIT, DIVIDEND, CASH_IN_LIEU, CRYPTO_FEE, FEE, INTEREST)
"""What is asked for; deposits and journals are no profit and no position."""
UNIT = Decimal("0.000000001")
CENT = Decimal("0.01")


def parts_of(said: VenueBooking, sleeve: str, held: Sequence[Position], other: str) -> tuple[BookingPart, ...]:
    """`sleeve` is that of the order it belongs to, empty where it belongs to none; `held` are the positions in the
    symbol, and `other` takes what is nobody's.
    """
    if sleeve or not said.symbol:
        return (BookingPart(sleeve=sleeve or other, quantity=said.quantity, amount=said.amount),)
    weights = {position.sleeve: position.quantity for position in held if position.quantity}
    if not weights or sum(weights.values(), ZERO) == 0:
        return (BookingPart(sleeve=other, quantity=said.quantity, amount=said.amount),)
    quantities = divide(said.quantity, weights, UNIT)
    amounts = divide(said.amount, weights, CENT)
    return tuple(BookingPart(sleeve=name, quantity=quantities[name], amount=amounts[name]) for name in weights)


def divide(whole: Decimal, weights: dict[str, Decimal], unit: Decimal) -> dict[str, Decimal]:
    """In proportion, in units, and exactly the whole: the largest takes what rounding leaves."""
    total = sum(weights.values(), ZERO)
    shares = {name: (whole * weight / total).quantize(unit, ROUND_DOWN) for name, weight in weights.items()}
    largest = max(weights, key=lambda name: abs(weights[name]))
    shares[largest] += whole - sum(shares.values(), ZERO)
    return shares


def transfer_parts(external: Position, to: Position) -> tuple[BookingPart, ...]:
    """Give the external sleeve's units to another, at its cost; against what that one holds, no more than it has and
    at its own cost, so that nothing is earned or lost. Empty when there is nothing to give.
    """
    units = external.quantity
    against = units * to.quantity < 0
    if against:
        units = min(abs(units), abs(to.quantity)).copy_sign(units)
    if not units:
        return ()
    price = to.average_price if against else external.average_price or external.last_price
    return (
        BookingPart(sleeve=external.sleeve, quantity=-units),
        BookingPart(sleeve=to.sleeve, quantity=units, price=price),
    )
