"""Positions, one for each symbol and sleeve, built from fills and bookings and nothing else."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from decimal import Decimal

from engine.domain.orders import Fill
from engine.domain.portfolio import ZERO, Booking, BookingPart, CostBasis, Lot, Position, VenuePosition
from engine.portfolio import bookings, costs

EXTERNAL_SLEEVE = "external"
"""Holds what the venue has and our fills do not explain: trades made elsewhere, transfers."""


class Positions:
    """All of one account. Iterating gives every position that is or was held in this journal."""

    def __init__(self, basis: CostBasis = CostBasis.AVERAGE) -> None:
        self.basis = basis
        self.unassigned = ZERO
        """Dollars of fees and interest that belong to no symbol, signed."""
        self._held: dict[tuple[str, str], Position] = {}
        self.nets: dict[str, Decimal] = {}
        """Signed quantity over all sleeves, by symbol; to be read only."""
        self.touched: set[str] = set()
        """Symbols whose quantity or price has changed; whoever keeps sums of them empties it."""

    def __iter__(self) -> Iterator[Position]:
        return iter(self._held.values())

    def get(self, symbol: str, sleeve: str) -> Position:
        """A flat one where nothing was traded."""
        key = (symbol, sleeve)
        if key not in self._held:
            self._held[key] = Position(symbol=symbol, sleeve=sleeve)
        return self._held[key]

    def of(self, symbol: str) -> list[Position]:
        return [held for held in self._held.values() if held.symbol == symbol]

    def put(self, position: Position) -> None:
        """One that was kept elsewhere, in the place of what is here."""
        before = self.get(position.symbol, position.sleeve).quantity
        self._held[position.symbol, position.sleeve] = position
        self._count(position.symbol, position.quantity - before)

    def apply(self, fill: Fill) -> Position:
        position = self.get(fill.symbol, fill.sleeve)
        before, signed = position.quantity, fill.quantity * fill.side.sign
        realised = costs.trade(position, signed, fill.price, self.basis)
        if before == 0 or before * position.quantity < 0:
            position.opened_at = fill.timestamp
        position.fees += fill.fee
        position.realised += realised - fill.fee
        position.last_price = position.last_price or fill.price
        self._count(fill.symbol, signed)
        return position

    def book(self, booking: Booking) -> None:
        """Splits, dividends, fees, transfers between sleeves."""
        if not booking.symbol:
            self.unassigned += sum((part.amount for part in booking.parts), ZERO)
            return
        for part in booking.parts:
            self._book(self.get(booking.symbol, part.sleeve), booking.kind, part)
            self._count(booking.symbol, part.quantity)

    def _book(self, position: Position, kind: str, part: BookingPart) -> None:
        position.realised += part.amount
        if kind == bookings.SPLIT:
            costs.split(position, part.quantity)
        elif kind == bookings.TRANSFER and part.price:
            position.realised += costs.trade(position, part.quantity, part.price, self.basis)
        elif part.quantity:
            self._lose(position, kind, part.quantity)
        if kind == bookings.DIVIDEND:
            position.dividends += part.amount
        elif kind in {bookings.FEE, bookings.CRYPTO_FEE}:
            position.fees -= part.amount

    def _lose(self, position: Position, kind: str, signed: Decimal) -> None:
        """Units that come or go without money: a fee in coins, a fraction paid out, what another sleeve is given."""
        if position.quantity * signed < 0 and abs(signed) <= abs(position.quantity):
            cost = costs.take_newest(position, abs(signed))
        else:
            price = position.average_price or position.last_price
            position.realised += costs.trade(position, signed, price, self.basis)
            cost = -signed * price
        if kind != bookings.TRANSFER:
            position.realised -= cost
        if kind == bookings.CRYPTO_FEE:
            position.fees += cost

    def net(self, symbol: str) -> Decimal:
        """Signed quantity over all sleeves."""
        return self.nets.get(symbol, ZERO)

    def mark(self, symbol: str, price: Decimal) -> None:
        for held in self.of(symbol):
            held.last_price = price
        self.touched.add(symbol)

    @property
    def symbols(self) -> set[str]:
        return {held.symbol for held in self._held.values() if held.quantity}

    def differences(self, venue: Iterable[VenuePosition]) -> dict[str, Decimal]:
        """By how much the venue holds more than all sleeves together, for each symbol where that is not zero."""
        reported = {position.symbol: position.quantity for position in venue}
        found = {symbol: reported.get(symbol, ZERO) - self.net(symbol) for symbol in self.symbols | set(reported)}
        return {symbol: difference for symbol, difference in found.items() if difference}

    def agree_with(self, venue: Iterable[VenuePosition], but: Container[str] = ()) -> dict[str, Decimal]:
        """Put what our fills do not explain into the external sleeve, so that the sum is the venue's.

        Symbols in `but` are left as they are. Returns the quantity by which the external sleeve had to change, for each
        symbol where it did.
        """
        reported = {position.symbol: position for position in venue}
        changed = {s: difference for s, difference in self.differences(reported.values()).items() if s not in but}
        for symbol, difference in changed.items():
            there = reported.get(symbol)
            external = self.get(symbol, EXTERNAL_SLEEVE)
            external.quantity += difference
            self._count(symbol, difference)
            external.average_price = there.average_entry_price if there and external.quantity else ZERO
            if self.basis is CostBasis.FIFO:
                external.lots[:] = [Lot(external.quantity, external.average_price)] if external.quantity else []
            if there:
                external.last_price = there.current_price
        return changed

    def _count(self, symbol: str, signed: Decimal) -> None:
        self.nets[symbol] = self.nets.get(symbol, ZERO) + signed
        self.touched.add(symbol)
