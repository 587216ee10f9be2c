"""What the matching engine takes and what it answers: orders in, immutable updates out."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.orders import OrderType, Side, TimeInForce

ZERO = Decimal(0)
QUANTITY_STEP = Decimal("0.000000001")
"""The smallest quantity there is, on stocks and on crypto."""


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it enters the book. `owner` names the account; the engine only carries it along."""

    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    owner: str = ""
    cancels: str = ""
    """The order that leaves the book when a trade sets this stop off, so that no quote can fill both."""


class UpdateKind(StrEnum):
    """What happened to an order; the words are those of Alpaca's trade updates."""

    ACCEPTED = "accepted"
    NEW = "new"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"

    @property
    def is_fill(self) -> bool:
        return self is UpdateKind.FILL or self is UpdateKind.PARTIAL_FILL


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One fact about one order. `quantity`, `price`, `fee` and `execution_id` belong to fills.

    `filled_quantity` is the total of the order so far, this update included. `timestamp` is int nanoseconds UTC.
    """

    kind: UpdateKind
    order: NewOrder
    timestamp: int
    filled_quantity: Decimal = ZERO
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    fee: Decimal = ZERO
    execution_id: str = ""
    reason: str = ""
    replaced_by: str = ""


class Working(msgspec.Struct, kw_only=True, eq=False):
    """An order that stands in the book. `active` is False while its session is closed or its auction to come."""

    order: NewOrder
    sequence: int
    filled: Decimal = ZERO
    active: bool = True
    announced: bool = True
    """False until the venue has said that the order is NEW."""
    arrives_at: int | None = None
    """When an order that is still under way reaches the book."""
    rests: bool = False
    """It has stood in the book without being marketable; from then on it trades at its limit."""
    ahead: float | None = None
    """Units that stood at its price before it, as far as they are known."""
    triggered: bool = False
    stop: Decimal | None = None
    """The price that sets a stop or trailing stop off; moves with a trailing stop."""
    high_water_mark: Decimal | None = None

    @property
    def remaining(self) -> Decimal:
        return self.order.quantity - self.filled

    @property
    def is_live(self) -> bool:
        """Whether it may trade now."""
        return self.active and self.arrives_at is None

    @property
    def waits_for_auction(self) -> bool:
        return self.order.time_in_force in AUCTIONS

    @property
    def waits_for_trigger(self) -> bool:
        return not self.triggered and self.order.type in CONDITIONAL

    @property
    def limit(self) -> Decimal | None:
        return self.order.limit_price if self.order.type in LIMITED else None


CONDITIONAL = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})
LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})


def refusal(order: NewOrder) -> str:
    """Why the book cannot hold this order; empty when it can."""
    if not order.quantity.is_finite() or order.quantity <= 0:
        return "quantity must be greater than 0"
    for price in (order.limit_price, order.stop_price, order.trail_price, order.trail_percent):
        if price is not None and (not price.is_finite() or price <= 0):
            return "prices must be greater than 0"
    if order.type in LIMITED and order.limit_price is None:
        return "limit_price is required"
    if order.type in (OrderType.STOP, OrderType.STOP_LIMIT) and order.stop_price is None:
        return "stop_price is required"
    if order.type is OrderType.TRAILING_STOP and (order.trail_price is None) == (order.trail_percent is None):
        return "one of trail_price and trail_percent is required"
    if order.time_in_force in AUCTIONS and order.type in CONDITIONAL:
        return "auction orders are market or limit orders"
    return ""
