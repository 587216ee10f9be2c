"""Which of a venue's words on an order are news, when they come late, twice and in any order."""

from __future__ import annotations

from engine.broker.base import VenueOrder
from engine.domain.orders import Order, OrderStatus
from engine.execution.transitions import PASSING

_S = OrderStatus
PROGRESS = {
    _S.INTENT: 0,
    _S.SENT: 1,
    _S.UNRESOLVED: 2,
    _S.PENDING_NEW: 3,
    _S.HELD: 3,
    _S.ACCEPTED: 4,
    _S.NEW: 5,
    _S.PARTIALLY_FILLED: 6,
    _S.DONE_FOR_DAY: 7,
    _S.SUSPENDED: 7,
    _S.STOPPED: 7,
    _S.CALCULATED: 7,
    _S.PENDING_REPLACE: 8,
    _S.PENDING_CANCEL: 8,
}
"""How far along a state is; a state further back than ours is old news."""


def is_news(order: Order, said: VenueOrder, first_seen: bool) -> bool:
    """Whether the state that the venue tells is to be believed; `first_seen`: it never told of this order before."""
    if order.status.is_final:
        # Only one thing is truer than our own "rejected": that the venue has it after all. The venue's word stays.
        return first_seen and order.status is _S.REJECTED and said.status is not _S.REJECTED
    if said.status in PASSING and said.updated_at < order.told_at:
        # Told late: the cancel or change that was pending then may have been refused since.
        return False
    if said.status.is_final or PROGRESS[said.status] > PROGRESS[order.status]:
        return True
    # A replacement or cancel that was refused leaves the order working: by the venue's own time this is the newer word.
    return order.status in PASSING and said.updated_at > order.told_at


def is_partial(status: OrderStatus) -> bool:
    """Whether a fill makes this state PARTIALLY_FILLED."""
    return not status.is_final and PROGRESS[status] < PROGRESS[_S.PARTIALLY_FILLED]
