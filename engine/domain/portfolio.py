"""What is owned: the venue's account, positions, and the sleeves that split one account between strategies."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

ZERO = Decimal(0)


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's account, in its currency."""

    account_number: str
    status: str
    equity: Decimal
    last_equity: Decimal
    """Equity at the previous session's close; the day's P&L is measured from it."""
    cash: Decimal
    buying_power: Decimal
    long_market_value: Decimal = ZERO
    short_market_value: Decimal = ZERO
    currency: str = "USD"
    shorting_enabled: bool = True
    trading_blocked: bool = False
    account_blocked: bool = False
    suspended_by_user: bool = False
    """Its owner has switched trading off in the venue's settings."""
    non_marginable_buying_power: Decimal | None = None
    """What may be spent on what cannot be bought on margin, such as coins; None where the venue does not say."""
    pattern_day_trader: bool | None = None
    day_trades: int | None = None
    """Within five days; None where the venue does not count them, as Alpaca since 2026-07."""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the venue reports it; quantity is signed, negative for short."""

    symbol: str
    quantity: Decimal
    average_entry_price: Decimal
    market_value: Decimal
    current_price: Decimal
    unrealised: Decimal


class CostBasis(StrEnum):
    """How the cost of what is closed is found: the average, as Alpaca reports it, or first in, first out."""

    AVERAGE = "average"
    FIFO = "fifo"


class Lot(msgspec.Struct, frozen=True, array_like=True):
    """Bought or sold short at one price; quantity is signed."""

    quantity: Decimal
    price: Decimal


class Position(msgspec.Struct, kw_only=True):
    """One symbol in one sleeve. Quantity is signed; `realised` is after fees and with dividends."""

    symbol: str
    sleeve: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    dividends: Decimal = ZERO
    last_price: Decimal = ZERO
    opened_at: int = 0
    lots: list[Lot] = []
    """Oldest first; kept only where cost is first in, first out."""

    @property
    def market_value(self) -> Decimal:
        return self.quantity * self.last_price

    @property
    def unrealised(self) -> Decimal:
        if self.last_price == ZERO:
            return ZERO
        return (self.last_price - self.average_price) * self.quantity


class BookingPart(msgspec.Struct, frozen=True, kw_only=True):
    """What a booking changes in one sleeve: units and dollars, both signed."""

    sleeve: str
    quantity: Decimal = ZERO
    amount: Decimal = ZERO
    price: Decimal = ZERO
    """At which transferred units come in; 0 where they keep their cost."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """What changes positions or profit and is no fill. `kind` is the venue's word, or TRANSFER between sleeves."""

    booking_id: str
    kind: str
    symbol: str
    timestamp: int
    parts: tuple[BookingPart, ...]
    after_fills: int = 0
    """How many fills had been counted before it."""
