"""Book, positions and journal kept in step: the one place where news changes what we believe, and is written down."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.broker.base import VenueFill, VenueOrder
from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.domain.events import ExecutionEvent, OrderEvent, Priority
from engine.domain.orders import Fill, Order
from engine.domain.portfolio import Position
from engine.execution.book import OrderBook, copy_of
from engine.execution.write_behind import WriteBehind
from engine.portfolio.positions import Positions
from engine.storage.journal import Journal, Recovered


class Ledger:
    def __init__(
        self,
        journal: Journal,
        recovered: Recovered,
        bus: Bus,
        clock: Clock,
        ids: IdFactory,
        environment: str,
        on_fill: Callable[[Fill], None],
    ) -> None:
        self.book = OrderBook(environment)
        self.positions = Positions()
        self.behind = WriteBehind(journal, self.book.get)
        self.last_fill_at = 0
        """Venue time of the newest fill; int nanoseconds UTC."""
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._on_fill = on_fill
        self.book.restore(recovered.orders, recovered.fills)
        for fill in recovered.fills:
            self.positions.apply(fill)
            self.last_fill_at = max(self.last_fill_at, fill.timestamp)

    async def save(self, order: Order) -> None:
        """Durable on return. Raises OrderError."""
        await self._journal.append(order)
        self._announce(order)

    def take_order(self, said: VenueOrder) -> None:
        changed = self.book.take_order(said, self._clock.now())
        if changed is not None:
            self.behind.write(changed)
            self._announce(changed)
        for fill in self.book.claim_orphans(said.venue_order_id):
            self.take_fill(fill)

    def take_fill(self, said: VenueFill) -> None:
        taken = self.book.take_fill(said, self._clock.now())
        if taken is None:
            return
        order, fill = taken
        self.behind.write(fill, order)
        self.last_fill_at = max(self.last_fill_at, fill.timestamp)
        self.positions.apply(fill)
        event = ExecutionEvent(
            event_id=self._ids.ulid(), timestamp=self._clock.now(), cause_id=order.cause_id, fill=fill
        )
        self._bus.publish(event, Priority.URGENT)
        self._announce(order)
        self._on_fill(fill)

    def settle(self, order: Order) -> None:
        """Our own change to an order: written behind, told at once."""
        order.updated_at = self._clock.now()
        self.behind.write(order)
        self._announce(order)

    def with_awaited(self, symbol: str) -> list[Position]:
        """The sleeves' positions in `symbol` as they will be once the executions are here of which only the order has
        told; copies.
        """
        held = {
            position.sleeve: msgspec.structs.replace(position)
            for position in self.positions
            if position.symbol == symbol
        }
        for order in self.book.missing_fills():
            if order.symbol == symbol:
                position = held.setdefault(order.sleeve, Position(symbol=symbol, sleeve=order.sleeve))
                position.quantity += order.side.sign * (order.filled_quantity - self.book.filled(order))
        return list(held.values())

    def gross_exposure(self, price: Callable[[str], Decimal]) -> Decimal:
        """Dollars in positions by symbol, and in what of the open orders would add to them."""
        held = sum((abs(self.positions.net(symbol)) * price(symbol) for symbol in self.positions.symbols), Decimal(0))
        working = sum(
            (
                order.remaining * (order.limit_price or price(order.symbol))
                for order in self.book.open
                if self.positions.net(order.symbol) * order.side.sign >= 0
            ),
            Decimal(0),
        )
        return held + working

    def _announce(self, order: Order) -> None:
        event = OrderEvent(
            event_id=self._ids.ulid(), timestamp=self._clock.now(), cause_id=order.cause_id, order=copy_of(order)
        )
        self._bus.publish(event, Priority.HIGH)
