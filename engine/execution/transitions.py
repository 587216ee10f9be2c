"""The states of an order as a machine: which step is legal from which state, and the one place where a state changes.

What is told late, twice or out of order is sorted out before (`engine.execution.news`); a step that is illegal here is
a mistake of the venue or of ours, so it is refused, counted and logged, and the order stays what it was.
"""

from __future__ import annotations

import logging
from collections import Counter

from engine.domain.orders import Order, OrderStatus

log = logging.getLogger(__name__)

_S = OrderStatus
WORKING = frozenset(
    {
        _S.ACCEPTED,
        _S.PENDING_NEW,
        _S.HELD,
        _S.NEW,
        _S.PARTIALLY_FILLED,
        _S.PENDING_REPLACE,
        _S.PENDING_CANCEL,
        _S.DONE_FOR_DAY,
        _S.SUSPENDED,
        _S.STOPPED,
        _S.CALCULATED,
    }
)
"""The venue has it, and it may still fill."""
ENDED = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REPLACED, _S.REJECTED})
"""The venue's last word."""
PASSING = frozenset({_S.PENDING_REPLACE, _S.PENDING_CANCEL, _S.DONE_FOR_DAY, _S.SUSPENDED, _S.STOPPED, _S.CALCULATED})
"""What an order may come back from, as when its replacement or cancel was refused, or a new day begins."""
_ARRIVING = frozenset({_S.ACCEPTED, _S.PENDING_NEW, _S.HELD})
_NOT_FILLED = _ARRIVING | {_S.NEW}

_FOLLOW: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.INTENT: frozenset({_S.SENT, _S.BLOCKED, _S.REJECTED}),
    _S.SENT: WORKING | ENDED | {_S.UNRESOLVED},
    _S.UNRESOLVED: WORKING | ENDED,
    **dict.fromkeys(_ARRIVING, WORKING | ENDED),
    _S.NEW: (WORKING - _ARRIVING) | ENDED,
    _S.PARTIALLY_FILLED: (WORKING - _NOT_FILLED) | ENDED,
    **dict.fromkeys(PASSING, WORKING | ENDED),
    # Our own "rejected" gives way when the venue has the order after all.
    _S.REJECTED: WORKING | ENDED,
}
LEGAL = {state: _FOLLOW.get(state, frozenset()) - {state} for state in OrderStatus}
"""The states that may follow each state; staying is no step. What has none is where an order ends."""


class OrderStates:
    """`refused` counts the illegal steps by (from, to)."""

    def __init__(self) -> None:
        self.refused: Counter[tuple[OrderStatus, OrderStatus]] = Counter()

    def change_state(self, order: Order, to: OrderStatus, message: str | None = None) -> bool:
        """Whether `order` has changed; `message` then says why, unless it is None. The caller tells everybody."""
        was = order.status
        if to is was:
            return False
        if to not in LEGAL[was]:
            self.refused[was, to] += 1
            log.error("Order %s cannot go from %s to %s; it stays as it was.", order.client_order_id, was, to)
            return False
        order.status = to
        if message is not None:
            order.message = message
        return True
