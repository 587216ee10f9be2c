"""What a trade does to a position and what it realises, by average cost or first in, first out. Exact, no I/O."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.portfolio import ZERO, CostBasis, Lot, Position

MOST_LOTS = 10_000
"""In one position; the two oldest are merged beyond it."""


def trade(position: Position, signed: Decimal, price: Decimal, basis: CostBasis) -> Decimal:
    """Change quantity, cost and lots; the profit that it realised, which is not added to the position.

    A trade through zero closes what is held and opens the rest at its own price.
    """
    if basis is CostBasis.FIFO:
        return _first_in_first_out(position, signed, price)
    return _average(position, signed, price)


def _average(position: Position, signed: Decimal, price: Decimal) -> Decimal:
    before = position.quantity
    after = before + signed
    realised = ZERO
    if before * signed < 0:
        closed = min(abs(before), abs(signed))
        realised = (price - position.average_price) * closed * (1 if before > 0 else -1)
    if after == 0:
        position.average_price = ZERO
    elif before * signed >= 0:
        position.average_price = (position.average_price * abs(before) + price * abs(signed)) / abs(after)
    elif before * after < 0:
        position.average_price = price
    position.quantity = after
    return realised


def _first_in_first_out(position: Position, signed: Decimal, price: Decimal) -> Decimal:
    realised, left, lots = ZERO, signed, position.lots
    while left and lots and lots[0].quantity * left < 0:
        lot = lots[0]
        closed = min(abs(lot.quantity), abs(left)).copy_sign(lot.quantity)
        realised += (price - lot.price) * closed
        left += closed
        if closed == lot.quantity:
            del lots[0]
        else:
            lots[0] = Lot(lot.quantity - closed, lot.price)
    if left:
        _add_lot(lots, Lot(left, price))
    position.quantity += signed
    position.average_price = average_of(lots)
    return realised


def _add_lot(lots: list[Lot], lot: Lot) -> None:
    if lots and lots[-1].price == lot.price:
        lots[-1] = Lot(lots[-1].quantity + lot.quantity, lot.price)
        return
    lots.append(lot)
    if len(lots) > MOST_LOTS:
        lots[:2] = [Lot(lots[0].quantity + lots[1].quantity, average_of(lots[:2]))]


def average_of(lots: list[Lot]) -> Decimal:
    quantity = sum((lot.quantity for lot in lots), ZERO)
    return sum((lot.quantity * lot.price for lot in lots), ZERO) / quantity if quantity else ZERO


def take_newest(position: Position, units: Decimal) -> Decimal:
    """Take units away that came last, such as a fee in coins; what they had cost, in dollars. `units` is unsigned and
    not more than is held.
    """
    sign = 1 if position.quantity > 0 else -1
    cost, left, lots = units * position.average_price, units, position.lots
    if lots:
        cost = ZERO
        while left and lots:
            lot = lots.pop()
            taken = min(abs(lot.quantity), left)
            cost += taken * lot.price
            left -= taken
            if taken != abs(lot.quantity):
                lots.append(Lot(lot.quantity - sign * taken, lot.price))
        position.average_price = average_of(lots)
    position.quantity -= sign * units
    if position.quantity == 0:
        position.average_price = ZERO
    return cost * sign


def split(position: Position, added: Decimal) -> None:
    """Spread the cost over the units that are there after a split."""
    after = position.quantity + added
    if position.quantity and after:
        ratio = after / position.quantity
        position.average_price /= ratio
        position.lots[:] = [Lot(lot.quantity * ratio, lot.price / ratio) for lot in position.lots]
    position.quantity = after
