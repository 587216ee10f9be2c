"""The trading core: places, cancels and follows orders, keeps the trading state, and repairs itself by asking the venue.

Everything that changes money goes through here: a person's ticket, a bot's signal, the emergency stop.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from engine.broker.base import Broker, TradeUpdate
from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.control import EmergencyReport, Placed, Verdict
from engine.domain.errors import OrderError, PaddockError
from engine.domain.events import PortfolioEvent, Severity, TradingState
from engine.domain.market import is_crypto
from engine.domain.orders import Fill, Order, OrderRequest, OrderStatus
from engine.domain.portfolio import ZERO, Account, CostBasis
from engine.execution.alarms import Alarms
from engine.execution.assets import AssetBook
from engine.execution.book import order_of
from engine.execution.cancels import Cancels
from engine.execution.emergency import EmergencyStop
from engine.execution.flatten import Flattening
from engine.execution.flight import FlightRecorder
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Findings, Reconciler
from engine.execution.sender import Sender
from engine.execution.session import Session
from engine.execution.switch import TradingSwitch
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.portfolio.state import PortfolioState
from engine.portfolio.targets import closing_orders
from engine.risk import gate
from engine.risk.breaker import RepetitionWatch
from engine.risk.context import Context, PriceView
from engine.risk.limits import Limits
from engine.storage.journal import Journal
from engine.storage.trail import Recovered

log = logging.getLogger(__name__)

Prices = Callable[[str], PriceView | None]

CONFIRM_AGAIN = 5.0
_DOUBTFUL = {OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNRESOLVED}


class TradingCore:
    """Lives on the engine's event loop. An order can pass once `refresh_account`, `refresh_market` and `reconcile` worked.

    `ids` makes the client order ids, `prices` gives the newest quote of a symbol.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        journal: Journal,
        recovered: Recovered,
        bus: Bus,
        clock: Clock,
        ids: IdFactory,
        limits: Limits,
        environment: str,
        prices: Prices,
        mismatch: str = "",
        basis: CostBasis = CostBasis.AVERAGE,
        state: PortfolioState | None = None,
    ) -> None:
        """`mismatch` says why address and keys do not belong to the environment; then nothing passes."""
        self.limits = limits
        self.account: Account | None = None
        self.session = Session()
        self.assets = AssetBook(broker, clock)
        self.ready = False
        """False while our picture of the venue may be wrong: then nothing that adds risk passes."""
        self.ledger = Ledger(
            journal, recovered, bus, clock, ids, environment, self._on_fill, self._on_surface, basis, state
        )
        self._broker = broker
        self._bus = bus
        self._alarms = Alarms(bus, clock, ids)
        self._cancels = Cancels(broker, self.ledger, self._alarms, self._spawn)
        self._switch = TradingSwitch(journal, recovered, self._alarms)
        self._clock = clock
        self._ids = ids
        self._environment = environment
        self._prices = prices
        self._mismatch = mismatch
        self._repetition = RepetitionWatch(limits)
        self._sender = Sender(broker, clock, limits.signal_life_s)
        self._reconciler = Reconciler(broker, self.ledger, clock, limits.signal_life_s)
        self._reconciling = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._emergency: EmergencyStop | None = None
        self._confirming = False
        self.flights = FlightRecorder(clock)
        self._drop_unsent()

    @property
    def trading_state(self) -> TradingState:
        return self._switch.state

    @property
    def trading_state_reason(self) -> str:
        return self._switch.reason

    @property
    def market_open(self) -> bool | None:
        return self.session.market_open

    @property
    def venue_quantities(self) -> dict[str, Decimal] | None:
        """What the broker held when it was last asked; signed units by symbol, None before the first answer."""
        return self._reconciler.venue

    # Orders

    def check(self, request: OrderRequest) -> Verdict:
        return gate.check(request, self._context(request))

    async def place(self, request: OrderRequest, emergency: bool = False) -> Placed:
        """Returns when the venue's answer is known, or cannot be learnt for now (UNRESOLVED). Never raises for a refusal."""
        if not (request.reduces or emergency):
            await self.assets.learn(request.symbol)
        verdict = gate.check(request, self._context(request, emergency))
        order = self._new_order(request)
        key = order.client_order_id
        self.flights.begin(key, request.cause_id, verdict)
        if not verdict.allowed:
            return self._block(order, verdict)
        # From here on its exposure counts, so that a second order cannot slip through while this one is written.
        self.ledger.book.add(order)
        try:
            await self.ledger.save_before_sending(order)
        except OrderError as error:
            order.status, order.message = OrderStatus.REJECTED, error.message
            self.ledger.settle(order)
            self._alarms.alert("journal", error.message, error.remedy, Severity.CRITICAL)
            return Placed(client_order_id=order.client_order_id, status=order.status.value, message=error.message)
        self.flights.note(key, "intent durable")
        outcome = await self._sender.send(order, lambda: self._is_wanted(order, emergency))
        self.flights.note(key, "answer", f"{outcome.status.value} {outcome.message}".strip())
        if outcome.venue is not None:
            self.ledger.take_order(outcome.venue)
        elif not order.venue_order_id:
            order.status, order.message = outcome.status, outcome.message
            self.ledger.settle(order)
        if order.status is OrderStatus.UNRESOLVED:
            self._alarms.unresolved(order, outcome.message)
        self._cancels.catch_up([order])
        return Placed(client_order_id=order.client_order_id, status=order.status.value, message=order.message)

    async def cancel(self, client_order_id: str) -> None:
        """Always let through. Raises OrderError for an id nobody knows, UnavailableError when the venue cannot be asked."""
        await self._cancels.one(client_order_id)

    async def cancel_all(self) -> int:
        """At the venue, foreign orders too, and those of ours that are still on their way."""
        return await self._cancels.all()

    async def close_position(self, symbol: str, sleeve: str | None = None) -> list[Placed]:
        """One order for each sleeve that holds some. Raises OrderError when the account holds none."""
        held = [p for p in self.ledger.positions if p.symbol == symbol and sleeve in (None, p.sleeve)]
        requests = closing_orders(held)
        if not requests:
            raise OrderError(f"There is no position in {symbol}.", "Refresh the list of positions.")
        return [await self.place(request) for request in requests]

    async def reassign_external(self, symbol: str, sleeve: str) -> Decimal:
        """Give what the external sleeve holds in `symbol` to `sleeve`; how much it was given, signed.

        Raises OrderError when there is nothing to give, or while orders in the symbol may still change what there is.
        """
        if not self.ready or self.ledger.book.open_in(symbol):
            raise OrderError(
                f"Orders in {symbol} are still open, or the venue is being read.",
                "Wait until they are filled, or cancel them first.",
            )
        return await self.ledger.bookings.transfer(symbol, sleeve)

    async def emergency_stop(self, reason: str, flatten: bool) -> EmergencyReport:
        # Halted here and now; writing it down must not hold up the cancels, nor a full disk prevent them.
        self._switch.turn(TradingState.HALTED, reason)
        self._spawn(self._switch.write(), "halt")
        self._cancels.want_all()
        place = functools.partial(self.place, emergency=True)
        flattening = Flattening(self._broker, self.ledger, self._reconciler, self._clock, place)
        self._emergency = EmergencyStop(self._broker, self._clock, flattening, self._doubtful)
        report = await self._emergency.run(flatten)
        # Not `reconcile`: it calls us ready, and the stream may be down.
        self._spawn(self._compare("emergency stop"), "compare")
        return report

    async def set_trading_state(self, state: TradingState, reason: str) -> None:
        """Survives a restart. Raises OrderError when it cannot be written down; it holds all the same."""
        if (state, reason) != (self.trading_state, self.trading_state_reason):
            self._switch.turn(state, reason)
            await self._switch.write()

    # News

    def on_trade_update(self, update: TradeUpdate) -> None:
        self.flights.note(update.order.client_order_id, "update", f"{update.event}, now {update.order.status.value}")
        self.ledger.take_order(update.order)
        if update.fill is not None:
            self.ledger.take_fill(update.fill)

    async def reconcile(self, reason: str) -> None:
        """Raises UnavailableError or CredentialsError; `ready` then stays as it was."""
        await self._compare(reason)
        self.ready = True

    async def poll_orders(self) -> None:
        """The safety net beside the stream."""
        async with self._reconciling:
            self._report(await self._reconciler.orders())

    async def poll_positions(self) -> None:
        async with self._reconciling:
            self._report(await self._reconciler.positions())

    async def refresh_account(self) -> None:
        account = await self._broker.account()
        self.account = account
        self._bus.publish(PortfolioEvent(event_id=self._ids.ulid(), timestamp=self._clock.now(), account=account))
        await self._switch.follow(account, self.limits)

    async def refresh_market(self) -> None:
        self.session.take(await self._broker.clock())

    async def stop(self) -> None:
        """Lets what is on the wire come to its end, briefly."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        await self.assets.close()

    # Inside

    async def _compare(self, reason: str) -> None:
        async with self._reconciling:
            log.info("reconciling with the venue: %s", reason)
            self._report(await self._reconciler.orders())
            self._report(await self._reconciler.positions())
            await self.refresh_account()

    async def _confirm(self) -> None:
        """Look at positions again soon, until what differs is confirmed or gone."""
        await asyncio.sleep(CONFIRM_AGAIN)
        self._confirming = False
        await self.poll_positions()

    def _context(self, request: OrderRequest, emergency: bool = False) -> Context:
        book, positions = self.ledger.book, self.ledger.positions
        return Context(
            limits=self.limits,
            trading_state=self.trading_state,
            ready=self.ready,
            account=self.account,
            market_open=self.session.market_open,
            extended_open=self.session.extended_open,
            asset=self.assets.get(request.symbol),
            price=self._prices(request.symbol),
            net_position=positions.net(request.symbol),
            sleeve_position=positions.get(request.symbol, request.sleeve).quantity,
            external_position=positions.get(request.symbol, EXTERNAL_SLEEVE).quantity,
            gross_exposure=self.ledger.gross_exposure(self._mark),
            working=book.open_in(request.symbol),
            open_count=book.open_count,
            recent=book.recent,
            sliced=book.sliced(request.parent_id) if request.parent_id else ZERO,
            paused_until=self._repetition.paused_until(request.sleeve, request.symbol),
            rate_used=self._broker.limit_used,
            now=self._clock.now(),
            monotonic=self._clock.monotonic(),
            live=self._environment == "live",
            mismatch=self._mismatch,
            emergency=emergency,
        )

    def _is_wanted(self, order: Order, emergency: bool) -> bool:
        halted = self.trading_state is TradingState.HALTED and not emergency
        return not halted and not order.cancel_wanted

    def _doubtful(self) -> list[Order]:
        """Orders of which nobody knows yet whether the venue has them."""
        return [order for order in self.ledger.book.open if order.status in _DOUBTFUL]

    def _report(self, findings: Findings) -> None:
        self._alarms.found(findings)
        if self._reconciler.has_suspicions and not self._confirming:
            self._confirming = True
            self._spawn(self._confirm(), "confirm")
        self._cancels.catch_up(self.ledger.book.open)

    def _drop_unsent(self) -> None:
        """Orders of which the journal holds the intent alone: SENT comes before the network, so they never left."""
        for order in self.ledger.book.open:
            if order.status is OrderStatus.INTENT:
                order.status, order.message = OrderStatus.REJECTED, "Paddock ended before it was sent."
                self.ledger.settle(order)

    def _mark(self, symbol: str) -> Decimal:
        view = self._prices(symbol)
        if view is not None and view.last > 0:
            return Decimal(repr(view.last))
        return max((p.last_price for p in self.ledger.positions if p.symbol == symbol), default=Decimal(0))

    def _new_order(self, request: OrderRequest) -> Order:
        client_order_id = f"{self._environment}-{request.sleeve}-{self._ids.ulid().lower()}"
        return order_of(request, client_order_id, self._clock.now())

    def _block(self, order: Order, verdict: Verdict) -> Placed:
        order.status, order.message = OrderStatus.BLOCKED, verdict.message
        self.ledger.book.add(order)
        self.ledger.settle(order)
        self._alarms.blocked(order, verdict)
        message = f"{verdict.message} {verdict.remedy}".strip()
        return Placed(client_order_id=order.client_order_id, status=order.status.value, message=message)

    def _on_surface(self, order: Order) -> None:
        self._cancels.surfaced(order)

    def _on_fill(self, fill: Fill) -> None:
        self.flights.note(fill.client_order_id, "fill", f"{fill.quantity} at {fill.price}")
        if is_crypto(fill.symbol):
            # The venue takes its fee in coins: without it we would try to sell more than there is.
            self._spawn(self._reconciler.bookings(), "bookings")
        if fill.sleeve != EXTERNAL_SLEEVE and self._repetition.note(fill, self._clock.monotonic()):
            self._alarms.paused(fill, self.limits)

    def _spawn(self, work: Coroutine[Any, Any, object], name: str) -> None:
        async def guarded() -> None:
            try:
                await work
            except PaddockError as error:
                self._alarms.alert("trading", error.message, error.remedy, Severity.ERROR)

        task = asyncio.create_task(guarded(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
