"""Follow an order at the venue through those that took its place, to the one that is alive or the last that was."""

from __future__ import annotations

from collections.abc import Sequence

from engine.broker.base import Broker, VenueOrder
from engine.domain.orders import Order, OrderStatus


async def line_of(broker: Broker, venue_order_id: str) -> list[VenueOrder]:
    """The order and its successors, oldest first; empty when the venue does not know it, and as far as it knows them.

    Raises UnavailableError or CredentialsError when the venue cannot be asked.
    """
    found: list[VenueOrder] = []
    seen: set[str] = set()
    while venue_order_id and venue_order_id not in seen:
        seen.add(venue_order_id)
        said = await broker.order_by_id(venue_order_id)
        if said is None:
            break
        found.append(said)
        venue_order_id = said.replaced_by if said.status is OrderStatus.REPLACED else ""
    return found


def can_still_come(order: Order, line: Sequence[VenueOrder]) -> bool:
    """Whether `order` may yet take the place of the first of `line`, or has: its request is refused once that has ended."""
    if not line or any(said.client_order_id == order.client_order_id for said in line):
        return True
    old = line[0]
    # A successor that is not shown yet may be the one.
    return not old.status.is_final or (old.status is OrderStatus.REPLACED and len(line) == 1)
