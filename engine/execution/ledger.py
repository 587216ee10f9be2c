"""Book, positions and journal kept in step: the one place where news changes what we believe, and is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from engine.broker.base import VenueFill, VenueOrder
from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.domain.events import ExecutionEvent, OrderEvent, Priority
from engine.domain.orders import Fill, Order, OrderStatus, Side
from engine.domain.portfolio import CostBasis, Position
from engine.execution.book import OrderBook
from engine.execution.bookkeeping import Bookkeeper
from engine.execution.making import copy_of
from engine.execution.write_behind import WriteBehind
from engine.portfolio.positions import Positions
from engine.portfolio.state import PortfolioState
from engine.risk.groups import value_of
from engine.risk.valuation import Sums, exposure
from engine.storage.journal import Journal
from engine.storage.trail import Recovered


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
        on_surface: Callable[[Order], None],
        basis: CostBasis = CostBasis.AVERAGE,
        state: PortfolioState | None = None,
    ) -> None:
        """`on_surface` is told of an order of unknown outcome that the venue has after all; it is to be cancelled.
        `state` is that of a snapshot; `objection` then says why it was not used, if it was not.
        """
        self.book = OrderBook(environment)
        self.positions = Positions(basis)
        self.bookings = Bookkeeper(journal, recovered.facts, self.positions, self.book, clock, ids)
        self.behind = WriteBehind(journal, self.book.get)
        self.last_fill_at = 0
        """Venue time of the newest fill; int nanoseconds UTC."""
        self._moved: dict[str, float] = {order.symbol: clock.monotonic() for order in recovered.orders}
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._on_fill = on_fill
        self._on_surface = on_surface
        self._exposures = Sums()
        self.book.restore(recovered.orders, recovered.fills)
        self.objection = self.bookings.replay(recovered.fills, state)
        self.last_fill_at = max((fill.timestamp for fill in recovered.fills), default=0)

    async def save_before_sending(self, order: Order) -> None:
        """The intent, and that it is being sent: two rows, durable on return, in one commit. Raises OrderError; then
        neither is there.

        A process that dies before the commit leaves nothing and has sent nothing; one that dies after it leaves SENT,
        and the venue is asked. An intent that was durable by itself would say no more, and cost a second sync.
        """
        intent = copy_of(order)
        self.book.states.change_state(order, OrderStatus.SENT)
        self.book.note(order)
        await self.behind.append(intent, order)
        self._announce(intent)
        self._announce(order)

    async def save(self, order: Order) -> None:
        """Durable on return. Raises OrderError."""
        self.book.note(order)
        await self.behind.append(order)
        self._announce(order)

    def take_order(self, said: VenueOrder) -> None:
        """With its exits, where they are told with it."""
        known = self.book.get(said.client_order_id)
        doubtful = known is not None and known.status is OrderStatus.UNRESOLVED
        changed = self.book.take_order(said, self._clock.now())
        if changed is not None:
            surfaced = doubtful and changed.status is not OrderStatus.UNRESOLVED
            changed.cancel_wanted = changed.cancel_wanted or surfaced
            self._tell(changed)
            if surfaced:
                self._on_surface(changed)
        order = self.book.get(said.client_order_id)
        if order is None:
            return
        for leg in said.legs:
            self._take_leg(leg, order)
        for fill in self.book.claim_orphans(said.venue_order_id):
            self.take_fill(fill)

    def _take_leg(self, said: VenueOrder, parent: Order) -> None:
        changed = self.book.take_leg(said, parent, self._clock.now())
        if changed is not None:
            self._tell(changed)
        for fill in self.book.claim_orphans(said.venue_order_id):
            self.take_fill(fill)

    def _tell(self, changed: Order) -> None:
        """Write it down and announce it, with the exits that moved because of it. What it filled while it was taken for
        somebody else's goes to the sleeve that it turns out to be of.
        """
        for order in (changed, *self.book.inherit(changed)):
            moved = self.bookings.move(self.book.claim_strays(order), order.sleeve)
            self.behind.write(*moved, order)
            self._announce(order)

    def take_fill(self, said: VenueFill) -> None:
        taken = self.book.take_fill(said, self._clock.now())
        if taken is None:
            return
        order, fill = taken
        self.behind.write(fill, order)
        self.last_fill_at = max(self.last_fill_at, fill.timestamp)
        self.bookings.count(fill)
        event = ExecutionEvent(
            event_id=self._ids.ulid(), timestamp=self._clock.now(), cause_id=order.cause_id, fill=fill
        )
        self._bus.publish(event, Priority.URGENT)
        self._announce(order)
        self._on_fill(fill)

    def change_state(self, order: Order, to: OrderStatus, message: str) -> None:
        """Our own step, with the reason: written behind, told at once."""
        if self.book.states.change_state(order, to, message):
            self.settle(order)

    def settle(self, order: Order) -> None:
        """Our own change to an order: written behind, told at once."""
        order.updated_at = self._clock.now()
        self.book.note(order)
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
        """Dollars: the most that positions and open orders together can come to, symbol by symbol.

        Only symbols whose orders, position or mark have changed are summed again.
        """
        for touched in (self.book.touched, self.positions.touched):
            while touched:
                symbol = touched.pop()
                self._exposures.put(symbol, self._exposure(symbol, price(symbol)))
        return self._exposures.total

    def _exposure(self, symbol: str, price: Decimal) -> Decimal:
        return self.exposure_of(symbol, self.book.open_in(symbol), price)

    def exposure_of(self, symbol: str, working: Sequence[Order], price: Decimal) -> Decimal:
        """Dollars: the most that the position in `symbol` and these open orders can come to."""
        held = self.positions.net(symbol) * price
        return exposure(held, value_of(working, Side.BUY, price), value_of(working, Side.SELL, price))

    def quiet_for(self, symbol: str) -> float:
        """Seconds since an order of ours in `symbol` changed, or since the start if it did in an earlier run; infinite
        where we never traded. By a clock that nobody sets.
        """
        at = self._moved.get(symbol)
        return float("inf") if at is None else self._clock.monotonic() - at

    def _announce(self, order: Order) -> None:
        if not order.foreign:
            self._moved[order.symbol] = self._clock.monotonic()
        event = OrderEvent(
            event_id=self._ids.ulid(), timestamp=self._clock.now(), cause_id=order.cause_id, order=copy_of(order)
        )
        self._bus.publish(event, Priority.HIGH)
