"""What left the house lately, kept so that the rules of pace are answered without walking through the orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderRequest, Side

DAY = 86_400 * NANOSECONDS
TIMES_KEPT = 50_000
"""No limit on orders a day may be higher; `engine.config` sees to it."""
INTENTS_KEPT = 10_000

_Intent = tuple[str, Side, Decimal, Decimal | None, Decimal | None, str]


class RecentOrders:
    """Orders in the sequence in which they were placed. Each question is answered in constant time."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self._times: deque[int] = deque(maxlen=TIMES_KEPT)
        self._by_sleeve: dict[str, deque[int]] = {}
        self._intents: dict[_Intent, int] = {}
        for order in orders:
            self.note(order)

    def note(self, order: Order) -> None:
        """An order passed the gate at `order.created_at`."""
        self._times.append(order.created_at)
        sleeve = self._by_sleeve.setdefault(order.sleeve, deque(maxlen=TIMES_KEPT))
        sleeve.append(order.created_at)
        for times in (self._times, sleeve):
            while times[0] <= order.created_at - DAY:
                times.popleft()
        intent = _intent(order)
        self._intents.pop(intent, None)
        self._intents[intent] = order.created_at
        if len(self._intents) > INTENTS_KEPT:
            del self._intents[next(iter(self._intents))]

    def reached(self, limit: int, since: int, sleeve: str | None = None) -> bool:
        """Whether `limit` orders or more were placed after `since`, int nanoseconds UTC; of one sleeve, if named."""
        times = self._times if sleeve is None else self._by_sleeve.get(sleeve, ())
        return len(times) >= limit and times[-limit] > since

    def count(self, since: int) -> int:
        found = 0
        for at in reversed(self._times):
            if at <= since:
                break
            found += 1
        return found

    def last_like(self, request: OrderRequest) -> int | None:
        """When the same was placed last: symbol, side, quantity, prices and sleeve."""
        return self._intents.get(_intent(request))


def _intent(order: Order | OrderRequest) -> _Intent:
    return (order.symbol, order.side, order.quantity, order.limit_price, order.stop_price, order.sleeve)
