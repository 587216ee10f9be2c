"""An order as the venue keeps it, from its request to its end."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from engine.exchange.orders import ZERO, NewOrder

CANNOT_REPLACE = frozenset({OrderStatus.ACCEPTED, OrderStatus.PENDING_NEW, OrderStatus.HELD})


class OrderRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Mutable; changed by the venue only. Times are int nanoseconds UTC, None for what has not happened."""

    order_id: str
    account_id: str
    client_order_id: str
    asset_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    created_at: int
    updated_at: int
    status: OrderStatus = OrderStatus.PENDING_NEW
    notional: Decimal | None = None
    """The dollars asked for; `quantity` was derived from them."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    high_water_mark: Decimal | None = None
    is_triggered: bool = False
    """A stop that has been set off."""
    extended_hours: bool = False
    filled_quantity: Decimal = ZERO
    filled_value: Decimal = ZERO
    filled_at: int | None = None
    expired_at: int | None = None
    canceled_at: int | None = None
    failed_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    order_class: str = ""
    parent_id: str | None = None
    legs: tuple[str, ...] = ()
    """Ids of the orders that this one brings along or, for an OCO order, of its stop-loss."""
    covered_by: str = ""
    """Id of the sibling that holds the quantity for both."""
    number: int = 0
    """Counts the orders of the exchange."""

    @property
    def is_open(self) -> bool:
        return not self.status.is_final

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    def to_book(self) -> NewOrder:
        return NewOrder(
            order_id=self.order_id,
            symbol=self.symbol,
            side=self.side,
            quantity=self.quantity,
            type=self.type,
            time_in_force=self.time_in_force,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            trail_price=self.trail_price,
            trail_percent=self.trail_percent,
            extended_hours=self.extended_hours,
            owner=self.account_id,
            cancels=self.covered_by,
        )
