"""One order from its verdict to the venue's answer: written down, then sent, then believed; never the other way round."""

from __future__ import annotations

from collections.abc import Callable

from engine.control import Placed, Verdict
from engine.domain.errors import OrderError
from engine.domain.events import Severity
from engine.domain.orders import Order, OrderStatus
from engine.execution.alarms import Alarms
from engine.execution.cancels import Cancels
from engine.execution.flight import FlightRecorder
from engine.execution.ledger import Ledger
from engine.execution.sender import Sender

Wanted = Callable[[Order, bool], bool]
"""Whether an order is still to be sent; the second argument says that it is the emergency stop's."""


class Dispatch:
    """For a new order, and for one that is to take the place of another."""

    def __init__(
        self,
        ledger: Ledger,
        sender: Sender,
        cancels: Cancels,
        flights: FlightRecorder,
        alarms: Alarms,
        wanted: Wanted,
    ) -> None:
        self._ledger = ledger
        self._sender = sender
        self._cancels = cancels
        self._flights = flights
        self._alarms = alarms
        self._wanted = wanted
        self.under_way: set[str] = set()
        """Client order ids of orders that this process is sending."""

    async def go(self, order: Order, verdict: Verdict, emergency: bool = False) -> Placed:
        """Returns when the venue's answer is known, or cannot be learnt for now (UNRESOLVED). Never raises for a refusal."""
        self._flights.begin(order.client_order_id, order.cause_id, verdict)
        if not verdict.allowed:
            return self._block(order, verdict)
        # From here on its exposure counts, so that a second order cannot slip through while this one is written.
        self._ledger.book.add(order)
        self.under_way.add(order.client_order_id)
        try:
            return await self._send(order, emergency)
        finally:
            self.under_way.discard(order.client_order_id)

    async def _send(self, order: Order, emergency: bool) -> Placed:
        if not await self._written(order, emergency):
            return _placed(order)
        outcome = await self._sender.send(order, lambda: self._wanted(order, emergency))
        self._flights.note(order.client_order_id, "answer", f"{outcome.status.value} {outcome.message}".strip())
        if outcome.venue is not None:
            self._ledger.take_order(outcome.venue)
        elif not order.venue_order_id:
            self._ledger.change_state(order, outcome.status, outcome.message)
        if order.status is OrderStatus.UNRESOLVED:
            self._alarms.unresolved(order, outcome.message)
        self._cancels.catch_up([order])
        return _placed(order)

    async def _written(self, order: Order, emergency: bool) -> bool:
        """Whether it may be sent: INTENT and SENT are durable, or it closes a position and waits for no disk."""
        try:
            await self._ledger.save_before_sending(order)
        except OrderError as error:
            self._alarms.alert("journal", error.message, error.remedy, Severity.CRITICAL)
            if not emergency:
                self._ledger.change_state(order, OrderStatus.REJECTED, error.message)
                return False
            # It is written when there is room; should Paddock die before, the venue tells of it by its id.
            self._ledger.behind.write(order)
            return True
        self._flights.note(order.client_order_id, "intent durable")
        return True

    def _block(self, order: Order, verdict: Verdict) -> Placed:
        self._ledger.book.states.change_state(order, OrderStatus.BLOCKED, verdict.message)
        self._ledger.book.add(order)
        self._ledger.settle(order)
        self._alarms.blocked(order, verdict)
        return _placed(order, f"{verdict.message} {verdict.remedy}".strip())


def _placed(order: Order, message: str | None = None) -> Placed:
    message = order.message if message is None else message
    return Placed(client_order_id=order.client_order_id, status=order.status.value, message=message)
