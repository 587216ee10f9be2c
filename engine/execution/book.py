"""Every order we know, and the rules by which news of it are believed. No I/O.

News comes from three sides (answers, the stream, REST) in any order and any number of times. Fills count once, by
execution id; a final state is never left; a filled quantity never shrinks. So the order in which news arrives does not
matter for where an order ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from engine.broker.base import VenueFill, VenueOrder
from engine.domain.orders import Fill, Order, OrderRequest, OrderStatus
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.recent import RecentOrders

ORDERS_KEPT = 5_000
PARENTS_KEPT = 500

_S = OrderStatus
_PROGRESS = {
    _S.INTENT: 0,
    _S.SENT: 1,
    _S.UNRESOLVED: 2,
    _S.ACCEPTED: 3,
    _S.PENDING_NEW: 3,
    _S.HELD: 3,
    _S.NEW: 4,
    _S.PARTIALLY_FILLED: 5,
    _S.PENDING_REPLACE: 6,
    _S.PENDING_CANCEL: 6,
}
"""How far along a state is; a state further back than ours is old news."""


class OrderBook:
    def __init__(self, environment: str) -> None:
        self._prefix = f"{environment}-"
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._by_venue_id: dict[str, str] = {}
        self._executions: set[str] = set()
        self._filled: dict[str, Decimal] = {}
        self._value: dict[str, Decimal] = {}
        self._orphans: dict[str, list[VenueFill]] = {}
        self._open: dict[str, Order] = {}
        self._open_in: dict[str, dict[str, Order]] = {}
        self._slices: dict[str, list[Order]] = {}
        self.recent = RecentOrders()
        """Orders of our own that passed the gate."""
        self.touched: set[str] = set()
        """Symbols whose open orders have changed; whoever keeps sums of them empties it."""

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill]) -> None:
        for order in orders:
            self.add(order)
        for fill in fills:
            self._executions.add(fill.execution_id)
            self._count(fill)

    def add(self, order: Order) -> None:
        self._orders[order.client_order_id] = order
        if order.venue_order_id:
            self._by_venue_id[order.venue_order_id] = order.client_order_id
        self.note(order)
        if not order.foreign and order.status is not OrderStatus.BLOCKED:
            self.recent.note(order)
            self._note_slice(order)
        self._forget_old()

    def get(self, client_order_id: str) -> Order | None:
        return self._orders.get(client_order_id)

    def by_venue_id(self, venue_order_id: str) -> Order | None:
        return self._orders.get(self._by_venue_id.get(venue_order_id, ""))

    def note(self, order: Order) -> None:
        """An order of this book has changed."""
        key, group = order.client_order_id, self._open_in.setdefault(order.symbol, {})
        if order.is_open:
            self._open[key] = group[key] = order
        else:
            self._open.pop(key, None)
            group.pop(key, None)
        self.touched.add(order.symbol)

    @property
    def open(self) -> list[Order]:
        return [order for order in self._open.values() if order.is_open]

    @property
    def open_count(self) -> int:
        return len(self._open)

    def open_in(self, symbol: str) -> list[Order]:
        return [order for order in self._open_in.get(symbol, {}).values() if order.is_open]

    def sliced(self, parent_id: str) -> Decimal:
        """What the slices of one parent have traded and may still trade."""
        slices = self._slices.get(parent_id, ())
        return sum((order.quantity if order.is_open else order.filled_quantity for order in slices), Decimal(0))

    @property
    def executions(self) -> int:
        """How many were counted."""
        return len(self._executions)

    def filled(self, order: Order) -> Decimal:
        """By the executions that we have."""
        return self._filled.get(order.client_order_id, Decimal(0))

    def take_order(self, said: VenueOrder, now: int) -> Order | None:
        """Believe what is news; the changed order, or None. An order we do not know is added, as foreign or ours."""
        order = self._orders.get(said.client_order_id)
        if order is None:
            order = self._adopt(said, now)
            self.add(order)
            return order
        before = (order.status, order.filled_quantity, order.venue_order_id, order.average_fill_price)
        first_seen = not order.venue_order_id
        if first_seen:
            order.venue_order_id = said.venue_order_id
            self._by_venue_id[said.venue_order_id] = order.client_order_id
        elif order.venue_order_id != said.venue_order_id:
            return None
        if said.filled_quantity > order.filled_quantity:
            order.filled_quantity = said.filled_quantity
            order.average_fill_price = said.average_fill_price
        if _is_news(order, said, first_seen):
            order.status = said.status
            order.message = said.reject_reason or order.message
        self._finish_if_filled(order)
        if before == (order.status, order.filled_quantity, order.venue_order_id, order.average_fill_price):
            return None
        order.updated_at = now
        self.note(order)
        return order

    def take_fill(self, said: VenueFill, now: int) -> tuple[Order, Fill] | None:
        """None for an execution we have, and for one of an order we do not know: that one waits for its order."""
        if said.execution_id in self._executions:
            return None
        order = self.by_venue_id(said.venue_order_id)
        if order is None:
            waiting = self._orphans.setdefault(said.venue_order_id, [])
            if all(said.execution_id != other.execution_id for other in waiting):
                waiting.append(said)
            return None
        self._executions.add(said.execution_id)
        fill = Fill(
            execution_id=said.execution_id,
            client_order_id=order.client_order_id,
            venue_order_id=said.venue_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=said.quantity,
            price=said.price,
            timestamp=said.timestamp,
            sleeve=order.sleeve,
        )
        self._count(fill)
        known = self._filled[order.client_order_id]
        if known >= order.filled_quantity:
            order.filled_quantity = known
            order.average_fill_price = self._value[order.client_order_id] / known
        if order.status in _PROGRESS and _PROGRESS[order.status] < _PROGRESS[_S.PARTIALLY_FILLED]:
            order.status = _S.PARTIALLY_FILLED
        self._finish_if_filled(order)
        order.updated_at = now
        self.note(order)
        return order, fill

    def orphans(self) -> list[str]:
        """Venue ids of orders that had fills and that we have not seen."""
        return list(self._orphans)

    def claim_orphans(self, venue_order_id: str) -> list[VenueFill]:
        return self._orphans.pop(venue_order_id, [])

    def missing_fills(self) -> list[Order]:
        """Orders of which the venue says that more was filled than we have executions of."""
        return [order for order in self._orders.values() if order.filled_quantity > self.filled(order)]

    def _adopt(self, said: VenueOrder, now: int) -> Order:
        ours = said.client_order_id.startswith(self._prefix)
        sleeve = said.client_order_id.removeprefix(self._prefix).rpartition("-")[0] if ours else EXTERNAL_SLEEVE
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
            venue_order_id=said.venue_order_id,
            filled_quantity=said.filled_quantity,
            average_fill_price=said.average_fill_price,
            updated_at=now,
            foreign=not ours,
            message=said.reject_reason,
        )

    def _finish_if_filled(self, order: Order) -> None:
        if order.filled_quantity >= order.quantity > 0 and not order.status.is_final:
            order.status = _S.FILLED

    def _count(self, fill: Fill) -> None:
        key = fill.client_order_id
        self._filled[key] = self._filled.get(key, Decimal(0)) + fill.quantity
        self._value[key] = self._value.get(key, Decimal(0)) + fill.quantity * fill.price

    def _note_slice(self, order: Order) -> None:
        if not order.parent_id:
            return
        self._slices.setdefault(order.parent_id, []).append(order)
        if len(self._slices) > PARENTS_KEPT:
            del self._slices[next(iter(self._slices))]

    def _forget_old(self) -> None:
        if len(self._orders) <= ORDERS_KEPT:
            return
        for key, order in self._orders.items():
            if order.status.is_final:
                del self._orders[key]
                self._by_venue_id.pop(order.venue_order_id, None)
                return


def _is_news(order: Order, said: VenueOrder, first_seen: bool) -> bool:
    if order.status.is_final:
        # Only one thing is truer than our own "rejected": that the venue has it after all. The venue's word stays.
        return first_seen and order.status is _S.REJECTED and said.status is not _S.REJECTED
    return said.status.is_final or _PROGRESS.get(said.status, 3) > _PROGRESS.get(order.status, 3)


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
    )
