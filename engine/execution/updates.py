"""What the trade-updates stream tells, taken in, and asked about where it raises a question."""

from __future__ import annotations

from engine.broker.base import TradeUpdate, VenueOrder
from engine.domain.orders import Order, Role
from engine.execution.adoption import Adoption
from engine.execution.alarms import Alarms
from engine.execution.background import Background
from engine.execution.flight import FlightRecorder
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Reconciler


class Updates:
    def __init__(
        self,
        ledger: Ledger,
        flights: FlightRecorder,
        reconciler: Reconciler,
        adoption: Adoption,
        alarms: Alarms,
        background: Background,
    ) -> None:
        self._ledger = ledger
        self._flights = flights
        self._reconciler = reconciler
        self._adoption = adoption
        self._alarms = alarms
        self._background = background
        self._shrinking: set[str] = set()
        """Orders whose exits are about to be asked for."""

    def take(self, update: TradeUpdate) -> None:
        said = update.order
        self._flights.note(said.client_order_id, "update", f"{update.event}, now {said.status.value}")
        self._ledger.take_order(said)
        if update.fill is not None:
            self._ledger.take_fill(update.fill)
        order = self._ledger.book.get(said.client_order_id)
        if order is None:
            # Perhaps an exit whose order has not told us of it.
            self._background.spawn(self._reconciler.exits(), "exits")
            return
        self._adoption.catch_up([order])
        if update.event == "order_replace_rejected":
            self._alarms.not_replaced(order, said.reject_reason or "the venue refused the change.")
        if update.fill is not None and order.is_open and order.role is not Role.NONE:
            self._look_at_siblings(order)
        self._follow(said)

    def _look_at_siblings(self, order: Order) -> None:
        """Of two exits the venue makes one smaller as the other fills, and tells nobody. Many fills, one question."""
        if (group := order.leg_of or order.client_order_id) not in self._shrinking:
            self._shrinking.add(group)
            self._background.spawn(self._ask_siblings(order, group), "siblings")

    async def _ask_siblings(self, order: Order, group: str) -> None:
        self._shrinking.discard(group)
        await self._reconciler.siblings(order)

    def _follow(self, said: VenueOrder) -> None:
        """Replaced by one that we have not seen: somebody changed it at the venue, or its news was lost."""
        if said.replaced_by and self._ledger.book.by_venue_id(said.replaced_by) is None:
            self._background.spawn(self._reconciler.follow(said.replaced_by), "follow")
