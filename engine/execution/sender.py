"""Send one order until its outcome is known, always under the same id: journal, then network, never the other way.

After an unclear answer the venue is asked by our id; when it does not know the order yet the same id is sent again,
which cannot double it, because a venue takes each id once. When the intent's life is over the order is UNRESOLVED: its
exposure stays reserved and reconciliation keeps asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from engine.broker.base import (
    Broker,
    DuplicateOrderError,
    NotSentError,
    OrderRefusedError,
    OutcomeUnknownError,
    VenueOrder,
)
from engine.clock import Clock
from engine.domain.errors import CredentialsError, PaddockError
from engine.domain.orders import Order, OrderStatus
from engine.execution.succession import can_still_come, line_of

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Outcome(msgspec.Struct, frozen=True):
    """`venue` is what the venue said; without it `status` is REJECTED (for certain) or UNRESOLVED."""

    status: OrderStatus
    venue: VenueOrder | None = None
    message: str = ""


class Sender:
    def __init__(
        self, broker: Broker, clock: Clock, life: float, venue_id: Callable[[str], str] = lambda client_order_id: ""
    ) -> None:
        """`venue_id` gives the venue's id of the order with a client order id, for those that are replaced."""
        self._venue_id = venue_id
        self._broker = broker
        self._clock = clock
        self._life = life

    async def send(self, order: Order, wanted: Callable[[], bool]) -> Outcome:
        """`wanted` turns false when it is cancelled or trading is halted meanwhile: then nothing is sent any more."""
        deadline = self._clock.monotonic() + self._life
        pause = FIRST_PAUSE
        landed_perhaps = False
        message = ""
        while True:
            asked_to_wait = 0.0
            try:
                # No longer wanted, an order that may have landed is only asked for: sending it again could place it.
                if wanted():
                    venue = await self._attempt(order)
                    return Outcome(venue.status, venue)
                if not landed_perhaps:
                    return Outcome(OrderStatus.REJECTED, message="Cancelled or halted before it was sent.")
            except DuplicateOrderError:
                landed_perhaps = True
            except (OrderRefusedError, CredentialsError) as error:
                if not landed_perhaps:
                    return Outcome(OrderStatus.REJECTED, message=error.message)
                message = error.message
            except NotSentError as error:
                message, asked_to_wait = error.message, error.retry_after
            except OutcomeUnknownError as error:
                landed_perhaps, message = True, error.message
            if landed_perhaps:
                found = await self._look(order)
                if found is not None:
                    return _adopted(order, found)
                if order.replaces and (outcome := await self._through_the_old(order, message)) is not None:
                    return outcome
            wait = max(pause, asked_to_wait)
            if self._clock.monotonic() + wait >= deadline:
                status = OrderStatus.UNRESOLVED if landed_perhaps else OrderStatus.REJECTED
                return Outcome(status, message=message)
            await asyncio.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _attempt(self, order: Order) -> VenueOrder:
        if order.replaces:
            return await self._broker.replace(self._venue_id(order.replaces), order)
        return await self._broker.submit(order)

    async def _through_the_old(self, order: Order, message: str) -> Outcome | None:
        """A second attempt to replace is refused where the first one landed, and where the old order has ended: what
        became of the old one tells which. None while neither is certain.
        """
        try:
            line = await line_of(self._broker, self._venue_id(order.replaces))
        except PaddockError:
            return None
        found = next((said for said in line if said.client_order_id == order.client_order_id), None)
        if found is not None:
            return _adopted(order, found)
        return None if can_still_come(order, line) else Outcome(OrderStatus.REJECTED, message=message)

    async def _look(self, order: Order) -> VenueOrder | None:
        """That the venue does not know it is no proof: it may be on its way."""
        try:
            return await self._broker.order_by_client_id(order.client_order_id)
        except PaddockError:
            return None


def _adopted(order: Order, found: VenueOrder) -> Outcome:
    same = (found.symbol, found.side) == (order.symbol, order.side)
    # What takes another one's place has at the venue only what that one left.
    same = same and (bool(order.replaces) or found.quantity == order.quantity)
    message = "" if same else "The venue holds another order under this id."
    return Outcome(found.status, found, message)
