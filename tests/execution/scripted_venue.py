"""A venue in memory that does what it is told to: loses answers, acts late, keeps news back; and a desk that trades there.

The venue takes each client_order_id once, as Alpaca does. Market orders fill when they arrive, limit orders rest.
What it did is in `orders` and `executions`, which the tests audit; what it told is another matter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.broker.base import (
    Asset,
    DuplicateOrderError,
    MarketClock,
    NotSentError,
    OrderRefusedError,
    OutcomeUnknownError,
    TradeUpdate,
    VenueBooking,
    VenueFill,
    VenueOrder,
)
from engine.bus import Bus
from engine.clock import IdFactory, SystemClock
from engine.domain.errors import UnavailableError
from engine.domain.events import Event, RiskEvent, SystemEvent
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderStatus, OrderType
from engine.domain.portfolio import Account, VenuePosition
from engine.execution.trading import TradingCore
from engine.risk.context import PriceView
from engine.risk.limits import Limits
from engine.storage.journal import open_journal

PRICE = Decimal(100)
LOOSE = Limits(
    max_order_notional=Decimal(10**6), max_order_share=1.0, max_position_share=100.0, max_gross_exposure=100.0,
    orders_per_second=10**6, orders_per_minute=10**6, orders_per_day=10**6, orders_per_day_and_sleeve=10**6,
    max_open_orders=10**6, max_open_orders_per_symbol=10**6, duplicate_window_s=0.0, repeated_fills=10**6,
    signal_life_s=0.05,
)  # fmt: skip


class SkippingClock(SystemClock):
    """The system's clock, that can be put forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def skip(self, seconds: float) -> None:
        self._ahead += seconds

    def now(self) -> int:
        return super().now() + round(self._ahead * NANOSECONDS)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead


class ScriptedVenue:
    """Implements engine.broker.base.Broker. `answers` are the ways of the next submits; then all goes well.

    answer: acts and says so. swallow: acts, the answer is lost. drop: lost on the way there, as far as anyone knows.
    late: lost, and it arrives at the next `arrive`. unsent, refuse: nothing happened, for certain.
    """

    def __init__(self, clock: SkippingClock) -> None:
        self.orders: dict[str, VenueOrder] = {}
        self.executions: list[VenueFill] = []
        self.elsewhere: dict[str, Decimal] = {}
        """What the account holds beyond our orders."""
        self.booked: list[VenueBooking] = []
        self.news: deque[TradeUpdate] = deque()
        self.answers: deque[str] = deque()
        self.fired: Counter[str] = Counter()
        self.deaf = False
        """True: reads fail."""
        self.unlisted_fills = False
        """True: the list of fills lags behind; the account's positions do not."""
        self.submits: list[str] = []
        self.cancels: list[str] = []
        self.before_positions: Callable[[], None] = lambda: None
        self.hold: asyncio.Event | None = None
        """Submits wait for it, with the request already at the venue's door."""
        self._clock = clock
        self._late: list[Order] = []
        self._late_changes: list[tuple[str, Order]] = []

    @property
    def held(self) -> dict[str, Decimal]:
        net = dict(self.elsewhere)
        for fill in self.executions:
            net[fill.symbol] = net.get(fill.symbol, Decimal(0)) + fill.side.sign * fill.quantity
        return {symbol: quantity for symbol, quantity in net.items() if quantity}

    async def submit(self, order: Order) -> VenueOrder:
        self.submits.append(order.client_order_id)
        order = msgspec.structs.replace(order)
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(0)
        way = self.answers.popleft() if self.answers else "answer"
        self.fired[way] += 1
        if way == "unsent":
            raise NotSentError("429")
        if way == "refuse":
            raise OrderRefusedError("no", http=403)
        if way == "drop":
            raise OutcomeUnknownError("time-out")
        if way == "late":
            self._late.append(order)
            raise OutcomeUnknownError("time-out")
        if order.client_order_id in self.orders:
            raise DuplicateOrderError("client_order_id must be unique")
        said = self.accept(order)
        if way == "swallow":
            raise OutcomeUnknownError("reset")
        return said

    def arrive(self) -> None:
        """What was late gets there."""
        for order in self._late:
            if order.client_order_id not in self.orders:
                self.accept(order)
        self._late.clear()
        for venue_order_id, order in self._late_changes:
            with contextlib.suppress(OrderRefusedError):
                self.change(venue_order_id, order)
        self._late_changes.clear()

    def accept(self, order: Order) -> VenueOrder:
        """What is said of the order at once; a fill is told by news."""
        accepted = VenueOrder(
            client_order_id=order.client_order_id, venue_order_id=f"v{len(self.orders)}", symbol=order.symbol,
            side=order.side, quantity=order.quantity, type=order.type, time_in_force=order.time_in_force,
            status=OrderStatus.NEW, limit_price=order.limit_price, created_at=self._clock.now(),
            order_class=order.order_class,
        )  # fmt: skip
        self._tell("new", accepted)
        if order.type is OrderType.MARKET:
            self.fill(order.client_order_id, order.quantity)
        return accepted

    def fill(self, client_order_id: str, quantity: Decimal) -> None:
        order = self.orders[client_order_id]
        filled = order.filled_quantity + quantity
        status = OrderStatus.FILLED if filled == order.quantity else OrderStatus.PARTIALLY_FILLED
        execution = VenueFill(
            execution_id=f"e{len(self.executions)}", venue_order_id=order.venue_order_id, symbol=order.symbol,
            side=order.side, quantity=quantity, price=PRICE, timestamp=self._clock.now(),
        )  # fmt: skip
        self.executions.append(execution)
        changed = msgspec.structs.replace(order, status=status, filled_quantity=filled, average_fill_price=PRICE)
        self._tell("fill", changed, execution)

    async def replace(self, venue_order_id: str, order: Order) -> VenueOrder:
        """The ways of `answers`, too; what has ended is not replaced."""
        self.submits.append(order.client_order_id)
        order = msgspec.structs.replace(order)
        if self.hold is not None:
            await self.hold.wait()
        await asyncio.sleep(0)
        way = self.answers.popleft() if self.answers else "answer"
        self.fired[way] += 1
        if way == "unsent":
            raise NotSentError("429")
        if way == "refuse":
            raise OrderRefusedError("no", http=403)
        if way in {"drop", "late"}:
            if way == "late":
                self._late_changes.append((venue_order_id, order))
            raise OutcomeUnknownError("time-out")
        said = self.change(venue_order_id, order)
        if way == "swallow":
            raise OutcomeUnknownError("reset")
        return said

    def change(self, venue_order_id: str, order: Order) -> VenueOrder:
        """`order` takes the place of another. Raises OrderRefusedError once that has ended."""
        old = next(one for one in self.orders.values() if one.venue_order_id == venue_order_id)
        if order.client_order_id in self.orders:
            raise DuplicateOrderError("client_order_id must be unique")
        if old.status.is_final:
            raise OrderRefusedError(f"cannot replace order in {old.status.value} status", http=422)
        new_id, left = f"v{len(self.orders)}", order.quantity - old.filled_quantity
        new = msgspec.structs.replace(
            old, client_order_id=order.client_order_id, venue_order_id=new_id, quantity=left, status=OrderStatus.NEW,
            limit_price=order.limit_price, stop_price=order.stop_price, filled_quantity=Decimal(0),
            average_fill_price=None, replaces=venue_order_id, created_at=self._clock.now(),
            updated_at=self._clock.now(),
        )  # fmt: skip
        self._tell("replaced", msgspec.structs.replace(old, status=OrderStatus.REPLACED, replaced_by=new_id))
        self._tell("new", new)
        return new

    async def cancel(self, venue_order_id: str) -> None:
        self._listen()
        self.cancels.append(venue_order_id)
        for order in list(self.orders.values()):
            if order.venue_order_id == venue_order_id and not order.status.is_final:
                self._tell("canceled", msgspec.structs.replace(order, status=OrderStatus.CANCELED))

    async def cancel_all(self) -> int:
        await asyncio.sleep(0)
        self._listen()
        working = await self.open_orders()
        for order in working:
            await self.cancel(order.venue_order_id)
        return len(working)

    async def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        self._listen()
        return self.orders.get(client_order_id)

    async def order_by_id(self, venue_order_id: str) -> VenueOrder | None:
        self._listen()
        return next((order for order in self.orders.values() if order.venue_order_id == venue_order_id), None)

    async def open_orders(self) -> Sequence[VenueOrder]:
        self._listen()
        return [order for order in self.orders.values() if not order.status.is_final]

    async def closed_orders(self, after: int) -> Sequence[VenueOrder]:
        self._listen()
        return [order for order in self.orders.values() if order.status.is_final and order.created_at > after]

    async def fills(self, after: int) -> Sequence[VenueFill]:
        self._listen()
        return [] if self.unlisted_fills else [fill for fill in self.executions if fill.timestamp > after]

    async def bookings(self, after: int, kinds: Sequence[str]) -> Sequence[VenueBooking]:
        self._listen()
        return [one for one in self.booked if one.timestamp > after and one.kind in kinds]

    async def account(self) -> Account:
        self._listen()
        worth = Decimal(10**6)
        values = [quantity * PRICE for quantity in self.held.values()]
        return Account(
            account_number="1", status="ACTIVE", equity=worth, last_equity=worth, cash=worth, buying_power=worth,
            long_market_value=sum((value for value in values if value > 0), Decimal(0)),
            short_market_value=sum((value for value in values if value < 0), Decimal(0)),
        )  # fmt: skip

    async def positions(self) -> Sequence[VenuePosition]:
        self._listen()
        self.before_positions()
        return [
            VenuePosition(
                symbol=symbol, quantity=quantity, average_entry_price=PRICE, market_value=quantity * PRICE,
                current_price=PRICE, unrealised=Decimal(0),
            )
            for symbol, quantity in self.held.items()
        ]  # fmt: skip

    async def clock(self) -> MarketClock:
        self._listen()
        return MarketClock(timestamp=self._clock.now(), is_open=True, next_open=0, next_close=0)

    async def asset(self, symbol: str) -> Asset | None:
        return Asset(
            symbol=symbol, name=symbol, asset_class="us_equity", tradable=True, fractionable=True, shortable=True,
            easy_to_borrow=True,
        )  # fmt: skip

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def latency_ms(self) -> float:
        return 0.0

    @property
    def limit_used(self) -> float:
        return 0.0

    def _listen(self) -> None:
        if self.deaf:
            raise UnavailableError("The venue does not answer.", "Wait.")

    def _tell(self, event: str, order: VenueOrder, fill: VenueFill | None = None) -> None:
        order = msgspec.structs.replace(order, updated_at=self._clock.now())
        self.orders[order.client_order_id] = order
        self.news.append(TradeUpdate(event=event, order=order, timestamp=self._clock.now(), fill=fill))


class ScriptedDesk:
    """One life of the trading core at a scripted venue, with a journal on disk."""

    def __init__(
        self, venue: ScriptedVenue, clock: SkippingClock, path: Path, limits: Limits = LOOSE, adopt_into: str = ""
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.events: list[Event] = []
        self.price = PriceView(bid=100.0, ask=100.0, last=100.0, age=0.0)
        self._journal, recovered = open_journal(path)
        self._failures: list[BaseException] = []
        self._bus = Bus(lambda event, error: self._failures.append(error))
        self._bus.start()
        for kind in (RiskEvent, SystemEvent):
            self._bus.subscribe(kind, self.events.append)
        self.bus = self._bus
        self.core = TradingCore(
            broker=venue, journal=self._journal, recovered=recovered, bus=self._bus, clock=clock,
            ids=IdFactory(clock), limits=limits, environment="demo", prices=lambda symbol: self.price,
            adopt_into=adopt_into,
        )  # fmt: skip

    async def open(self) -> None:
        await self.core.refresh_market()
        await self.core.reconcile("start")

    def hear(self) -> None:
        """All the news, in order."""
        while self.venue.news:
            self.core.on_trade_update(self.venue.news.popleft())

    async def close(self) -> None:
        await self.core.stop()
        await self._bus.close()
        await self._journal.close()
        assert self._failures == []
