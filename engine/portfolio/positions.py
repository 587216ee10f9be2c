"""Positions by average cost, one for each symbol and sleeve, built from fills and nothing else."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from decimal import Decimal

from engine.domain.orders import Fill
from engine.domain.portfolio import ZERO, Position, VenuePosition

EXTERNAL_SLEEVE = "external"
"""Holds what the venue has and our fills do not explain: trades made elsewhere, transfers, splits."""


def apply_fill(position: Position, fill: Fill) -> Decimal:
    """Change the position; the realised P&L of this fill, its fee not yet taken off.

    A fill through zero closes at the average price and opens the rest at its own.
    """
    signed = fill.quantity * fill.side.sign
    before = position.quantity
    realised = ZERO
    if before * signed < 0:
        closed = min(abs(before), abs(signed))
        realised = (fill.price - position.average_price) * closed * (1 if before > 0 else -1)
    after = before + signed
    if after == 0:
        position.average_price = ZERO
    elif before * signed >= 0:
        position.average_price = (position.average_price * abs(before) + fill.price * abs(signed)) / abs(after)
    elif before * after < 0:
        position.average_price = fill.price
    if before == 0 or before * after < 0:
        position.opened_at = fill.timestamp
    position.quantity = after
    position.fees += fill.fee
    position.realised += realised - fill.fee
    position.last_price = position.last_price or fill.price
    return realised


class Positions:
    """All of one account. Iterating gives every position that is or was held in this journal."""

    def __init__(self) -> None:
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

    def apply(self, fill: Fill) -> Position:
        position = self.get(fill.symbol, fill.sleeve)
        apply_fill(position, fill)
        self._count(fill.symbol, fill.quantity * fill.side.sign)
        return position

    def net(self, symbol: str) -> Decimal:
        """Signed quantity over all sleeves."""
        return self.nets.get(symbol, ZERO)

    def mark(self, symbol: str, price: Decimal) -> None:
        for held in self._held.values():
            if held.symbol == symbol:
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
            if there:
                external.last_price = there.current_price
        return changed

    def _count(self, symbol: str, signed: Decimal) -> None:
        self.nets[symbol] = self.nets.get(symbol, ZERO) + signed
        self.touched.add(symbol)
