"""Every order we know, and the rules by which news of it are believed. No I/O.

News comes from three sides (answers, the stream, REST) in any order and any number of times. Fills count once, by
execution id; a final state is never left; a filled quantity never shrinks. So the order in which news arrives does not
matter for where an order ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from engine.broker.base import VenueFill, VenueOrder
from engine.domain.orders import Fill, Order, OrderClass, OrderStatus
from engine.execution import news
from engine.execution.families import Families
from engine.execution.making import join, order_found, succeed
from engine.execution.transitions import OrderStates
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.recent import RecentOrders

ORDERS_KEPT = 5_000
PARENTS_KEPT = 500


class OrderBook:
    def __init__(self, environment: str) -> None:
        self._prefix = f"{environment}-"
        self._orders: OrderedDict[str, Order] = OrderedDict()
        self._by_venue_id: dict[str, str] = {}
        self._executions: set[str] = set()
        self._filled: dict[str, Decimal] = {}
        self._value: dict[str, Decimal] = {}
        self._orphans: dict[str, list[VenueFill]] = {}
        self._strays: dict[str, list[Fill]] = {}
        """Fills of orders that are taken for somebody else's, and of what took their place; by client order id."""
        self._open: dict[str, Order] = {}
        self._open_in: dict[str, dict[str, Order]] = {}
        self._slices: dict[str, list[Order]] = {}
        self.families = Families()
        self.states = OrderStates()
        self.recent = RecentOrders()
        """Orders of our own that passed the gate."""
        self.touched: set[str] = set()
        """Symbols whose open orders have changed; whoever keeps sums of them empties it."""

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill]) -> None:
        for order in orders:
            self.add(order)
        for order in list(self._orders.values()):
            self.families.inherit(order)
        for fill in fills:
            self._executions.add(fill.execution_id)
            self._count(fill)
            self._note_stray(fill)

    def add(self, order: Order) -> None:
        self._orders[order.client_order_id] = order
        if order.venue_order_id:
            self._by_venue_id[order.venue_order_id] = order.client_order_id
        self.families.note(order)
        self.note(order)
        if not order.foreign and not order.leg_of and order.status is not OrderStatus.BLOCKED:
            self.recent.note(order)
            self._note_slice(order)
        self._forget_old()

    def get(self, client_order_id: str) -> Order | None:
        return self._orders.get(client_order_id)

    def venue_id(self, client_order_id: str) -> str:
        """Empty for an order that the venue has not told of yet."""
        order = self._orders.get(client_order_id)
        return "" if order is None else order.venue_order_id

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
        self.families.note_state(order)
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
        """Believe what is news; the changed order, or None. One that we do not know is added, as foreign or ours, unless
        it may be an exit that its order has not told us of yet: then the order must tell first.
        """
        order = self._orders.get(said.client_order_id)
        if order is None:
            return None if self._may_be_exit(said) else self._find(said, now)
        before = _seen(order)
        self._recognise(order, said)
        first_seen = not order.venue_order_id
        if first_seen:
            order.venue_order_id = said.venue_order_id
            self._by_venue_id[said.venue_order_id] = order.client_order_id
        elif order.venue_order_id != said.venue_order_id:
            return None
        self._follow_quantity(order, said, first_seen)
        if said.filled_quantity > order.filled_quantity:
            order.filled_quantity = said.filled_quantity
            order.average_fill_price = said.average_fill_price
        if news.is_news(order, said, first_seen):
            self.states.change_state(order, said.status, said.reject_reason or None)
        order.told_at = max(order.told_at, said.updated_at)
        self._finish_if_filled(order)
        if before == _seen(order):
            return None
        order.updated_at = now
        self.note(order)
        return order

    def take_leg(self, said: VenueOrder, parent: Order, now: int) -> Order | None:
        """Believe what is said of an exit of `parent`, as `take_order` does."""
        leg = self._orders.get(said.client_order_id)
        if leg is None:
            leg = order_found(said, self._prefix, now)
            join(leg, parent)
            self.add(leg)
            return leg
        if leg.leg_of and leg.foreign == parent.foreign:
            return self.take_order(said, now)
        self.take_order(said, now)
        if not parent.foreign:
            leg.adopted_at = (leg.adopted_at or leg.told_at) if parent.adopted_at else 0
        join(leg, parent)
        self.families.note(leg)
        self.note(leg)
        return leg

    def inherit(self, order: Order) -> list[Order]:
        """What goes along, now that `order` has changed: exits that have moved to another order; and, where it was
        recognised as ours, what took its place meanwhile.
        """
        old = self._orders.get(order.replaces)
        moved = self.families.inherit(order) + ([] if old is None else self.families.inherit(old))
        moved += self._recognise_successors(order)
        for leg in moved:
            self.note(leg)
        return moved

    def line(self, order: Order) -> list[Order]:
        """The order, those whose place it took, and those that took its place, as far as they are known."""
        found, waiting = list[Order](), [order]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.append(one)
                before = self._orders.get(one.replaces)
                waiting += self.families.successors(one) + ([] if before is None else [before])
        return found

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
            sleeve=EXTERNAL_SLEEVE if order.adopted_at and said.timestamp <= order.adopted_at else order.sleeve,
        )
        self._count(fill)
        self._note_stray(fill)
        known = self._filled[order.client_order_id]
        if known >= order.filled_quantity:
            order.filled_quantity = known
            order.average_fill_price = self._value[order.client_order_id] / known
        if news.is_partial(order.status):
            self.states.change_state(order, OrderStatus.PARTIALLY_FILLED)
        self._finish_if_filled(order)
        order.updated_at = now
        self.note(order)
        return order, fill

    def orphans(self) -> list[VenueFill]:
        """Fills of orders that we have not seen."""
        return [fill for fills in self._orphans.values() for fill in fills]

    def claim_orphans(self, venue_order_id: str) -> list[VenueFill]:
        return self._orphans.pop(venue_order_id, [])

    def claim_strays(self, order: Order) -> list[Fill]:
        """What was booked to another sleeve before `order` was recognised as one of ours; told once."""
        if order.foreign or order.adopted_at:
            return []
        found = [fill for fill in self._strays.get(order.client_order_id, ()) if fill.sleeve != order.sleeve]
        if found:
            del self._strays[order.client_order_id]
        return found

    def missing_fills(self) -> list[Order]:
        """Orders of which the venue says that more was filled than we have executions of."""
        return [order for order in self._orders.values() if order.filled_quantity > self.filled(order)]

    def _find(self, said: VenueOrder, now: int) -> Order:
        order = order_found(said, self._prefix, now)
        old = self.by_venue_id(said.replaces) if said.replaces else None
        if old is not None:
            succeed(order, old)
        self.add(order)
        return order

    def _recognise(self, order: Order, said: VenueOrder) -> None:
        """Somebody else's order, or one that was adopted as such, turns out to have taken the place of one of ours, which
        the venue had not told of before.
        """
        old = self.by_venue_id(said.replaces) if said.replaces and (order.foreign or order.adopted_at) else None
        if old is not None and not old.foreign and (order.sleeve, order.replaces) != (old.sleeve, old.client_order_id):
            succeed(order, old)
            order.adopted_at = 0
            self.families.note(order)
            self.note(order)

    def _recognise_successors(self, order: Order) -> list[Order]:
        found: list[Order] = []
        if order.foreign or order.adopted_at:
            return found
        for heir in self.families.successors(order):
            if heir.foreign or heir.adopted_at or heir.sleeve != order.sleeve:
                heir.sleeve, heir.foreign, heir.adopted_at = order.sleeve, False, 0
                found += [heir, *self._recognise_successors(heir)]
        return found

    def _may_be_exit(self, said: VenueOrder) -> bool:
        if said.client_order_id.startswith(self._prefix) or self.by_venue_id(said.replaces) is not None:
            return False
        if said.order_class is OrderClass.SIMPLE:
            # The venue gives exits the class of their order; a simple one must not stay unseen for an order that is lost.
            return False
        return any(order.symbol == said.symbol and not order.foreign for order in self.families.lacking())

    def _follow_quantity(self, order: Order, said: VenueOrder, first_seen: bool) -> None:
        """An exit shrinks when its sibling fills, and a replacement has what the one before left."""
        shrinks = (order.leg_of or order.role) and said.updated_at >= order.told_at
        if (order.replaces and first_seen) or shrinks:
            order.quantity = said.quantity

    def _finish_if_filled(self, order: Order) -> None:
        if order.filled_quantity >= order.quantity > 0 and not order.status.is_final:
            self.states.change_state(order, OrderStatus.FILLED)

    def _count(self, fill: Fill) -> None:
        key = fill.client_order_id
        self._filled[key] = self._filled.get(key, Decimal(0)) + fill.quantity
        self._value[key] = self._value.get(key, Decimal(0)) + fill.quantity * fill.price

    def _note_stray(self, fill: Fill) -> None:
        order = self._orders.get(fill.client_order_id)
        while order is not None and not (order.foreign or order.adopted_at):
            order = self._orders.get(order.replaces)
        if order is not None:
            self._strays.setdefault(fill.client_order_id, []).append(fill)

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
                self._strays.pop(key, None)
                self.families.forget(order)
                return


def _seen(order: Order) -> tuple[object, ...]:
    """What makes a difference to anybody."""
    told = (order.status, order.filled_quantity, order.venue_order_id, order.average_fill_price, order.quantity)
    return (*told, order.foreign, order.sleeve, order.replaces)
