"""Mistakes with orders that belong together: changes, exits, and what somebody else has placed."""

from __future__ import annotations

from collections.abc import Iterable

from engine.broker.base import VenueOrder
from engine.control import Placed, Verdict
from engine.domain.orders import Fill, Order, OrderRequest, OrderStatus
from engine.execution import book, making, replacing
from engine.execution.book import OrderBook
from engine.execution.dispatch import Dispatch
from engine.execution.families import Families
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Reconciler
from engine.execution.updates import Updates
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.faults.planting import BUGS, bug

__all__ = ["BUGS"]


@bug
def what_took_its_place_is_forgotten() -> None:
    Families.successors = lambda self, order: []  # type: ignore[method-assign]


@bug
def a_cancel_does_not_reach_what_took_its_place() -> None:
    OrderBook.line = lambda self, order: [order]  # type: ignore[method-assign]


@bug
def a_change_is_sent_as_a_new_order() -> None:
    made = making.replacement_of

    def anew(old: Order, request: OrderRequest, client_order_id: str, now: int) -> Order:
        order = made(old, request, client_order_id, now)
        order.replaces = ""
        return order

    replacing.replacement_of = anew


@bug
def a_change_forgets_what_was_filled() -> None:
    made = making.replacement_of

    def more(old: Order, request: OrderRequest, client_order_id: str, now: int) -> Order:
        order = made(old, request, client_order_id, now)
        order.quantity += old.filled_quantity
        return order

    replacing.replacement_of = more


@bug
def a_change_that_is_refused_ends_the_order() -> None:
    go = Dispatch.go

    async def end(self: Dispatch, order: Order, verdict: Verdict, emergency: bool = False) -> Placed:
        placed = await go(self, order, verdict, emergency)
        old = self._ledger.book.get(order.replaces)
        if old is not None and old.is_open and order.status is OrderStatus.REJECTED:
            self._ledger.change_state(old, OrderStatus.CANCELED, "")
        return placed

    Dispatch.go = end  # type: ignore[method-assign]


@bug
def nobody_asks_what_replaced_an_order() -> None:
    async def follow(self: Reconciler, venue_order_id: str) -> None: ...

    Reconciler.follow = follow  # type: ignore[method-assign]
    Updates._follow = lambda self, said: None  # type: ignore[method-assign]


@bug
def an_exit_is_booked_as_somebody_elses() -> None:
    join = making.join

    def external(leg: Order, parent: Order) -> None:
        join(leg, parent)
        leg.sleeve = EXTERNAL_SLEEVE

    book.join = external


@bug
def nobody_looks_for_exits() -> None:
    async def exits(self: Reconciler) -> None: ...

    Reconciler.exits = exits  # type: ignore[method-assign]
    Ledger._take_leg = lambda self, said, parent: None  # type: ignore[method-assign]


@bug
def the_exits_of_a_cancelled_order_are_left() -> None:
    take = Ledger.take_order

    def leave(self: Ledger, said: VenueOrder) -> None:
        known = self.book.get(said.client_order_id)
        if known is None or not known.leg_of or said.status is not OrderStatus.CANCELED:
            take(self, said)

    Ledger.take_order = leave  # type: ignore[method-assign]


@bug
def whose_exit_it_is_does_not_survive() -> None:
    restore = OrderBook.restore

    def forget(self: OrderBook, orders: Iterable[Order], fills: Iterable[Fill]) -> None:
        orders = list(orders)
        for order in orders:
            if order.leg_of:
                order.leg_of, order.sleeve, order.foreign = "", EXTERNAL_SLEEVE, True
        restore(self, orders, fills)

    OrderBook.restore = forget  # type: ignore[method-assign]


@bug
def what_somebody_else_places_is_not_taken_in() -> None:
    OrderBook._may_be_exit = lambda self, said: not said.client_order_id.startswith("demo-")  # type: ignore[method-assign]
