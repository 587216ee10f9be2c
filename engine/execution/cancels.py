"""Cancels: wanted from the moment somebody asks, also while the venue does not have the order yet, also after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from engine.broker.base import Broker
from engine.domain.errors import OrderError
from engine.domain.orders import Order
from engine.execution.alarms import Alarms
from engine.execution.ledger import Ledger

Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class Cancels:
    def __init__(self, broker: Broker, ledger: Ledger, alarms: Alarms, spawn: Spawn) -> None:
        self._broker = broker
        self._ledger = ledger
        self._alarms = alarms
        self._spawn = spawn

    async def one(self, client_order_id: str) -> None:
        """Always let through. Raises OrderError for an id nobody knows, and when the venue does not have the order yet and
        the disk is full; UnavailableError when the venue cannot be asked.
        """
        order = self._ledger.book.get(client_order_id)
        if order is None:
            raise OrderError(f"There is no order {client_order_id}.", "Refresh the list of orders.")
        alive = [one for one in self._ledger.book.line(order) if one.is_open]
        # While one takes the place of another nobody knows which of them lives, so each is cancelled.
        done = await asyncio.gather(*map(self._ask, alive), return_exceptions=True)
        for failure in done:
            if failure is not None:
                raise failure

    async def _ask(self, order: Order) -> None:
        unwritten = await self._note(order)
        if order.venue_order_id:
            await self._broker.cancel(order.venue_order_id)
        elif unwritten is not None:
            raise unwritten

    async def all(self) -> int:
        """At the venue, foreign orders too, and those of ours that are still on their way; how many the venue took.
        Raises as `one` does, when all that can be done is done.
        """
        cancelling = asyncio.ensure_future(self._broker.cancel_all())
        unwritten = await asyncio.gather(*(self._note(order) for order in self._ledger.book.open))
        count = await cancelling
        for failure in filter(None, unwritten):
            raise failure
        return count

    def want_all(self) -> None:
        """For the emergency stop, which asks the venue itself: nothing waits for the disk."""
        for order in self._ledger.book.open:
            order.cancel_wanted = True
            self._ledger.behind.write(order)

    def surfaced(self, order: Order) -> None:
        """An order of unknown outcome is at the venue after all; nobody counts on it any more."""
        self._alarms.surfaced(order)
        self.catch_up([order])

    def catch_up(self, orders: Iterable[Order]) -> None:
        """Ask for what somebody wanted cancelled before the venue had it, or could be asked."""
        for order in orders:
            if order.cancel_wanted and order.is_open and order.venue_order_id:
                self._spawn(self._ask(order), "cancel unwanted")

    async def _note(self, order: Order) -> OrderError | None:
        """Written down first where the venue cannot be asked yet, or a crash would leave it to be filled. A disk that is
        full keeps nobody from cancelling, but whoever asked must know what a crash would do.
        """
        order.cancel_wanted = True
        if order.venue_order_id:
            self._ledger.behind.write(order)
            return None
        try:
            await self._ledger.save(order)
        except OrderError as error:
            self._ledger.behind.write(order)
            return OrderError(
                f"The cancel of {order.client_order_id} is only in memory: {error.message}",
                "It is asked for when the venue shows the order. If Paddock ends before, cancel it again after the start.",
            )
        return None
