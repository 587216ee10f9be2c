"""The trading core: places, changes, cancels and follows orders, keeps the trading state, and repairs itself by asking.

Everything that changes money goes through here: a person's ticket, a bot's signal, the emergency stop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container
from decimal import Decimal

from engine.broker.base import Broker, TradeUpdate
from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.control import EmergencyReport, Placed, Verdict
from engine.domain.errors import OrderError
from engine.domain.events import PortfolioEvent, TradingState
from engine.domain.market import is_crypto
from engine.domain.orders import Fill, Order, OrderChanges, OrderRequest, OrderStatus
from engine.domain.portfolio import Account, CostBasis
from engine.execution.adoption import Adoption
from engine.execution.alarms import Alarms
from engine.execution.assets import AssetBook
from engine.execution.background import Background
from engine.execution.cancels import Cancels
from engine.execution.dispatch import Dispatch
from engine.execution.emergency import EmergencyStop
from engine.execution.flatten import Flattening
from engine.execution.flight import FlightRecorder
from engine.execution.ledger import Ledger
from engine.execution.making import order_of
from engine.execution.pictures import Pictures
from engine.execution.reconcile import Reconciler
from engine.execution.replacing import Replacing
from engine.execution.rounds import Rounds
from engine.execution.sender import Sender
from engine.execution.session import Session
from engine.execution.stopping import Stopping
from engine.execution.switch import TradingSwitch
from engine.execution.updates import Updates
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.portfolio.state import PortfolioState
from engine.portfolio.targets import closing_orders
from engine.risk import gate
from engine.risk.breaker import RepetitionWatch
from engine.risk.context import Context, PriceView
from engine.risk.limits import Limits
from engine.storage.journal import Journal
from engine.storage.trail import Recovered

Prices = Callable[[str], PriceView | None]


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
        adopt_into: str = "",
    ) -> None:
        """`mismatch` says why address and keys do not belong to the environment; then nothing passes. `adopt_into` is the
        sleeve that takes orders which were placed elsewhere; empty leaves them alone.
        """
        self.limits = limits
        self.account: Account | None = None
        self.session = Session()
        self.assets = AssetBook(broker, clock)
        self.ready = False
        """False while our picture of the venue may be wrong: then nothing that adds risk passes."""
        self.ledger = Ledger(
            journal, recovered, bus, clock, ids, environment, self._on_fill, lambda order: self._cancels.surfaced(order),
            basis, state,
        )  # fmt: skip
        self.flights = FlightRecorder(clock)
        self._broker = broker
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._environment = environment
        self._alarms = Alarms(bus, clock, ids)
        self._background = Background(self._alarms)
        spawn = self._background.spawn
        self._cancels = Cancels(broker, self.ledger, self._alarms, spawn)
        self._switch = TradingSwitch(journal, recovered, self._alarms)
        self._repetition = RepetitionWatch(limits)
        self._pictures = Pictures(
            self, broker, prices, clock, self._repetition, live=environment == "live", mismatch=mismatch
        )
        self._sender = Sender(broker, clock, limits.signal_life_s, self.ledger.book.venue_id)
        self._dispatch = Dispatch(self.ledger, self._sender, self._cancels, self.flights, self._alarms, self._is_wanted)
        self._replacing = Replacing(self.ledger, self._pictures, self._dispatch, self._alarms, clock)
        self._adoption = Adoption(self.ledger, journal, self._alarms, clock, adopt_into)
        self._reconciler = Reconciler(broker, self.ledger, clock, limits.signal_life_s)
        self._rounds = Rounds(self.ledger, self._reconciler, self._cancels, self._adoption, self._alarms, spawn)
        self._updates = Updates(
            self.ledger, self.flights, self._reconciler, self._adoption, self._alarms, self._background
        )
        place = functools.partial(self.place, emergency=True)
        self._flattening = Flattening(broker, self.ledger, self._reconciler, clock, place)
        self._stopping = Stopping(self._new_stop, lambda: self._switch.is_halted, self._alarms, spawn)
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
        return gate.check(request, self.picture(request))

    def picture(self, request: OrderRequest, *, emergency: bool = False) -> Context:
        """What the gate would judge it by now."""
        return self._pictures.of(request, emergency=emergency)

    async def place(self, request: OrderRequest, emergency: bool = False) -> Placed:
        """Returns when the venue's answer is known, or cannot be learnt for now (UNRESOLVED). Never raises for a refusal."""
        return await self._go(request, await self._judge(request, emergency), emergency)

    async def place_unless(self, passing: Container[str], request: OrderRequest) -> Placed | None:
        """As `place`; None, with nothing kept of it, when one of the rules `passing` refuses it."""
        verdict = await self._judge(request)
        return None if verdict.rule in passing else await self._go(request, verdict)

    def check_change(self, client_order_id: str, changes: OrderChanges) -> Verdict:
        return self._replacing.check(client_order_id, changes)

    async def replace(self, client_order_id: str, changes: OrderChanges) -> Placed:
        """Change a working order; returns as `place` does. Raises OrderError when it cannot be changed that way; whatever
        comes of it, the old order works on until the venue says that it is replaced.
        """
        old = self.ledger.book.get(client_order_id)
        if old is not None:
            await self.assets.learn(old.symbol)
        return await self._replacing.replace(client_order_id, changes, self._new_id(old.sleeve if old else ""))

    async def adopt(self, client_order_id: str, sleeve: str) -> list[Order]:
        """Take an order that was placed elsewhere into one of our sleeves, with its exits; durable. Raises OrderError."""
        return await self._adoption.adopt(client_order_id, sleeve)

    async def cancel(self, client_order_id: str) -> None:
        """Always let through, to whichever of an order and its replacements is alive. Raises OrderError for an id nobody
        knows, UnavailableError when the venue cannot be asked.
        """
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

    @property
    def emergency_report(self) -> EmergencyReport | None:
        """Of the newest emergency stop, as far as it is known by now."""
        return self._stopping.report

    async def emergency_stop(self, reason: str, flatten: bool, patience: float | None = None) -> EmergencyReport:
        """With `patience` it says after so many seconds what it knows, and goes on in the background until it is
        confirmed; without, it is one attempt to its end.
        """
        # Halted here and now; writing it down must not hold up the cancels, nor a full disk prevent them.
        self._switch.turn(TradingState.HALTED, reason)
        self._background.spawn(self._switch.write(), "halt")
        self._cancels.want_all()
        stopping = self._stopping
        report = await (stopping.once(flatten) if patience is None else stopping.insist(flatten, patience))
        # Not `reconcile`: it calls us ready, and the stream may be down.
        self._background.spawn(self._compare("emergency stop"), "compare")
        return report

    async def set_trading_state(self, state: TradingState, reason: str) -> None:
        """Survives a restart. Raises OrderError when it cannot be written down; it holds all the same."""
        if (state, reason) != (self.trading_state, self.trading_state_reason):
            self._switch.turn(state, reason)
            await self._switch.write()

    # News

    def on_trade_update(self, update: TradeUpdate) -> None:
        self._updates.take(update)

    async def reconcile(self, reason: str) -> None:
        """Raises UnavailableError or CredentialsError; `ready` then stays as it was."""
        await self._compare(reason)
        self.ready = True

    async def poll_orders(self) -> None:
        """The safety net beside the stream."""
        await self._rounds.orders()

    async def poll_positions(self) -> None:
        await self._rounds.positions()

    async def refresh_account(self) -> None:
        account = await self._broker.account()
        self.account = account
        self._bus.publish(PortfolioEvent(event_id=self._ids.ulid(), timestamp=self._clock.now(), account=account))
        await self._switch.follow(account, self.limits)

    async def refresh_market(self) -> None:
        self.session.take(await self._broker.clock())

    async def stop(self) -> None:
        """Lets what is on the wire come to its end, briefly."""
        await self._background.close()
        await self.assets.close()

    # Inside

    async def _judge(self, request: OrderRequest, emergency: bool = False) -> Verdict:
        if not (request.reduces or emergency):
            await self.assets.learn(request.symbol)
        return gate.check(request, self.picture(request, emergency=emergency))

    async def _go(self, request: OrderRequest, verdict: Verdict, emergency: bool = False) -> Placed:
        order = order_of(request, self._new_id(request.sleeve), self._clock.now())
        return await self._dispatch.go(order, verdict, emergency)

    async def _compare(self, reason: str) -> None:
        await self._rounds.all(reason)
        await self.refresh_account()

    def _new_stop(self) -> EmergencyStop:
        book, under_way = self.ledger.book, self._dispatch.under_way
        return EmergencyStop(self._broker, self._clock, self._flattening, book, self._reconciler, under_way)

    def _is_wanted(self, order: Order, emergency: bool) -> bool:
        return not (self._switch.is_halted and not emergency) and not order.cancel_wanted

    def _drop_unsent(self) -> None:
        """Orders of which the journal holds the intent alone: SENT comes before the network, so they never left."""
        for order in self.ledger.book.open:
            if order.status is OrderStatus.INTENT:
                self.ledger.change_state(order, OrderStatus.REJECTED, "Paddock ended before it was sent.")

    def _new_id(self, sleeve: str) -> str:
        return f"{self._environment}-{sleeve}-{self._ids.ulid().lower()}"

    def _on_fill(self, fill: Fill) -> None:
        self.flights.note(fill.client_order_id, "fill", f"{fill.quantity} at {fill.price}")
        if is_crypto(fill.symbol):
            # The venue takes its fee in coins: without it we would try to sell more than there is.
            self._background.spawn(self._reconciler.bookings(), "bookings")
        if fill.sleeve != EXTERNAL_SLEEVE and self._repetition.note(fill, self._clock.monotonic()):
            self._alarms.paused(fill, self.limits)
