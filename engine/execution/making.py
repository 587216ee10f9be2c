"""Orders as objects: made of somebody's request, of a change to a working one, or of what was found at the venue."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.broker.base import VenueOrder
from engine.domain.orders import Order, OrderChanges, OrderClass, OrderRequest, OrderType, Role
from engine.portfolio.positions import EXTERNAL_SLEEVE


def copy_of(order: Order) -> Order:
    """An order as it is now, for an event that outlives this moment."""
    return msgspec.structs.replace(order)


def order_of(request: OrderRequest, client_order_id: str, now: int) -> Order:
    """A new order, not yet written down."""
    return Order(
        client_order_id=client_order_id,
        symbol=request.symbol,
        side=request.side,
        quantity=request.quantity,
        type=request.type,
        time_in_force=request.time_in_force,
        limit_price=request.limit_price,
        sleeve=request.sleeve,
        created_at=now,
        updated_at=now,
        cause_id=request.cause_id,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        take_profit=request.take_profit,
        stop_loss=request.stop_loss,
        parent_id=request.parent_id,
        order_class=_class_of(request),
        role=Role.TAKE_PROFIT if request.one_cancels_other else Role.NONE,
    )


def request_of(old: Order, changes: OrderChanges) -> OrderRequest:
    """What `old` would still do with these changes, as the risk gate is to see it: what it has filled is not traded again."""
    total = old.quantity if changes.quantity is None else changes.quantity
    return OrderRequest(
        symbol=old.symbol,
        side=old.side,
        quantity=total - old.filled_quantity,
        type=old.type,
        time_in_force=old.time_in_force,
        sleeve=old.sleeve,
        limit_price=_changed(old.limit_price, changes.limit_price),
        stop_price=None if old.type is OrderType.TRAILING_STOP else _changed(old.stop_price, changes.stop_price),
        trail_price=None if old.trail_price is None else _changed(old.trail_price, changes.trail),
        trail_percent=None if old.trail_percent is None else _changed(old.trail_percent, changes.trail),
        extended_hours=old.extended_hours,
        take_profit=old.take_profit,
        stop_loss=old.stop_loss,
        one_cancels_other=old.order_class is OrderClass.OCO,
        parent_id=old.parent_id,
    )


def replacement_of(old: Order, request: OrderRequest, client_order_id: str, now: int) -> Order:
    """The order that is to take the place of `old`. Its quantity counts what `old` has filled, until the venue tells it."""
    order = order_of(request, client_order_id, now)
    order.quantity = request.quantity + old.filled_quantity
    order.cause_id = old.cause_id
    succeed(order, old)
    return order


def succeed(order: Order, old: Order) -> None:
    """Give `order` the place that `old` has: its sleeve, its group, and whether somebody wants it cancelled."""
    order.replaces = old.client_order_id
    order.sleeve, order.foreign = old.sleeve, old.foreign
    order.leg_of, order.role, order.order_class = old.leg_of, old.role, old.order_class
    order.parent_id, order.cancel_wanted = old.parent_id, old.cancel_wanted


def join(leg: Order, parent: Order) -> None:
    """Make `leg` an exit of `parent`."""
    leg.leg_of, leg.sleeve, leg.foreign = parent.client_order_id, parent.sleeve, parent.foreign
    leg.role = Role.TAKE_PROFIT if leg.type is OrderType.LIMIT else Role.STOP_LOSS


def order_found(said: VenueOrder, prefix: str, now: int) -> Order:
    """One that the venue has and we did not know: ours by its id, with the sleeve that is named there, or foreign."""
    ours = said.client_order_id.startswith(prefix)
    sleeve = said.client_order_id.removeprefix(prefix).rpartition("-")[0] if ours else EXTERNAL_SLEEVE
    return Order(
        client_order_id=said.client_order_id,
        symbol=said.symbol,
        side=said.side,
        quantity=said.quantity,
        type=said.type,
        time_in_force=said.time_in_force,
        sleeve=sleeve,
        created_at=said.created_at or now,
        status=said.status,
        limit_price=said.limit_price,
        stop_price=said.stop_price,
        trail_price=said.trail_price,
        trail_percent=said.trail_percent,
        venue_order_id=said.venue_order_id,
        filled_quantity=said.filled_quantity,
        average_fill_price=said.average_fill_price,
        updated_at=now,
        told_at=said.updated_at,
        foreign=not ours,
        message=said.reject_reason,
        order_class=said.order_class,
        role=Role.TAKE_PROFIT if said.order_class is OrderClass.OCO and said.type is OrderType.LIMIT else Role.NONE,
    )


def _class_of(request: OrderRequest) -> OrderClass:
    if request.one_cancels_other:
        return OrderClass.OCO
    exits = (request.take_profit is not None) + (request.stop_loss is not None)
    return (OrderClass.SIMPLE, OrderClass.OTO, OrderClass.BRACKET)[exits]


def _changed(before: Decimal | None, wanted: Decimal | None) -> Decimal | None:
    return before if wanted is None else wanted
