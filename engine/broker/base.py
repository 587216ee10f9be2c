"""The Broker protocol: what the engine asks of a venue, and the few ways in which a venue can answer.

The order manager decides what an answer means for the journal; a broker only tells answers apart. Above all it never
sends an order twice by itself: `submit` makes one attempt and says what is known of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from engine.domain.errors import OrderError
from engine.domain.orders import Order, OrderClass, OrderStatus, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account, VenuePosition


class OrderRefusedError(OrderError):
    """The venue said no, for certain. `code` is the venue's own number, `http` the status; 0 where there was none."""

    def __init__(self, message: str, remedy: str = "", code: int = 0, http: int = 0) -> None:
        super().__init__(message, remedy)
        self.code = code
        self.http = http


class DuplicateOrderError(OrderRefusedError):
    """The venue already holds an order with this client_order_id: an earlier attempt had landed."""


class NotSentError(OrderError):
    """The request never left this machine or was refused unprocessed; trying again with the same id is harmless.

    `retry_after` is in seconds; 0 where nobody said.
    """

    def __init__(self, message: str, remedy: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after


class OutcomeUnknownError(OrderError):
    """The request may or may not have been acted on: time-out, reset, 5xx, unreadable answer."""


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue reports it. Quantities are in shares or coins; times int nanoseconds UTC, 0 = none."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    filled_quantity: Decimal = Decimal(0)
    average_fill_price: Decimal | None = None
    limit_price: Decimal | None = None
    created_at: int = 0
    updated_at: int = 0
    replaced_by: str = ""
    """Venue id of the successor, when status is REPLACED."""
    replaces: str = ""
    """Venue id of the order whose place it took."""
    order_class: OrderClass = OrderClass.SIMPLE
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    legs: tuple[VenueOrder, ...] = ()
    """The exits that it brought along, where the venue shows them; none is no proof that there are none."""
    reject_reason: str = ""


class VenueFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution as the venue reports it, by stream or by account activities."""

    execution_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    timestamp: int


class VenueBooking(msgspec.Struct, frozen=True, kw_only=True):
    """A booking that is no fill: a fee, dividend, split. `quantity` and `amount` are what it changes, signed."""

    activity_id: str
    kind: str
    """The venue's word, such as CFEE, DIV or SPLIT."""
    timestamp: int
    symbol: str = ""
    quantity: Decimal = Decimal(0)
    amount: Decimal = Decimal(0)
    venue_order_id: str = ""


class TradeUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the trade-updates stream. `event` is the venue's word, such as new, fill, canceled."""

    event: str
    order: VenueOrder
    timestamp: int
    fill: VenueFill | None = None


class MarketClock(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's session. Times int nanoseconds UTC by the venue's clock; `speed` is above 1 only in a replay."""

    timestamp: int
    is_open: bool
    next_open: int
    next_close: int
    speed: float = 1.0


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says may be done with a symbol."""

    symbol: str
    name: str
    asset_class: str
    """us_equity or crypto"""
    tradable: bool
    fractionable: bool
    shortable: bool
    easy_to_borrow: bool = False
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None


class Broker(Protocol):
    """Reads raise UnavailableError when the venue cannot be reached, CredentialsError when it refuses the keys."""

    async def warm_up(self) -> None:
        """Load what is heavy, so that the first order does not wait for it."""
        ...

    async def submit(self, order: Order) -> VenueOrder:
        """One attempt. Raises OrderRefusedError, DuplicateOrderError, NotSentError, OutcomeUnknownError, CredentialsError."""
        ...

    async def replace(self, venue_order_id: str, order: Order) -> VenueOrder:
        """One attempt to put `order` in the place of the working one. `order.quantity` counts what that one has filled.

        Raises what `submit` raises. That the venue refuses it after an unclear answer is no proof that an earlier
        attempt did not land: by then the working order may be replaced.
        """
        ...

    async def cancel(self, venue_order_id: str) -> None:
        """Ask for the cancel; the stream or a read tells the end. An order that is already final is no error.

        Raises UnavailableError when the venue could not be asked, also after asking again.
        """
        ...

    async def cancel_all(self) -> int:
        """Ask to cancel every open order of the account; how many there were."""
        ...

    async def order_by_client_id(self, client_order_id: str) -> VenueOrder | None: ...

    async def order_by_id(self, venue_order_id: str) -> VenueOrder | None:
        """With its legs."""
        ...

    async def open_orders(self) -> Sequence[VenueOrder]: ...

    async def closed_orders(self, after: int) -> Sequence[VenueOrder]:
        """Orders no longer open that were created after `after` (int nanoseconds UTC)."""
        ...

    async def fills(self, after: int) -> Sequence[VenueFill]: ...

    async def bookings(self, after: int, kinds: Sequence[str]) -> Sequence[VenueBooking]:
        """Oldest first, of these kinds; `after` in int nanoseconds UTC."""
        ...

    async def account(self) -> Account: ...

    async def positions(self) -> Sequence[VenuePosition]: ...

    async def clock(self) -> MarketClock: ...

    async def asset(self, symbol: str) -> Asset | None: ...

    @property
    def latency_ms(self) -> float:
        """Of the last answered request; -1 before the first."""
        ...

    @property
    def limit_used(self) -> float:
        """Share of the venue's request limit in use, 0 to 1."""
        ...

    async def close(self) -> None: ...
