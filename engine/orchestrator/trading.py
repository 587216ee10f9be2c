"""What trades: the trading core with its journal and broker, the bots' signals, and the bond with the venue."""

from __future__ import annotations

from engine.broker.alpaca import AlpacaBroker
from engine.broker.trade_updates import StreamState, TradeUpdates
from engine.domain.events import Severity, TradingState
from engine.execution.link import VenueLink
from engine.execution.signals import SignalDesk
from engine.execution.trading import TradingCore
from engine.orchestrator.components import Component
from engine.orchestrator.needed_symbols import FollowHeld
from engine.orchestrator.parts import Parts
from engine.orchestrator.plan import EXCHANGE, limits_of, sleeve_plan
from engine.orchestrator.pulse import Pulse
from engine.orchestrator.state import StateKeeper, StateLoader, save_last
from engine.risk.context import PriceView
from engine.risk.identity import mismatch
from engine.storage.journal import Journal
from engine.storage.trail import Fact, Recovered
from engine.streams.messages import Signal

BROKER_STREAM, RECONCILIATION = "broker stream", "reconciliation"
PAUSE_FACT = "engine_paused"
FILLS_SHOWN = 1_000
FOLLOW_EVERY = 5.0
"""Seconds between two looks at what is held and not on the watch list."""


class Trading:
    """Made once the venue's address is known; `begin` returns when orders can be placed."""

    def __init__(self, parts: Parts, journal: Journal, recovered: Recovered, loader: StateLoader) -> None:
        self._parts = parts
        self._journal = journal
        settings, venue = parts.settings, parts.venue
        self.broker = AlpacaBroker(venue.address, parts.clock)
        self.core = TradingCore(
            broker=self.broker,
            journal=journal,
            recovered=recovered,
            bus=parts.bus,
            clock=parts.clock,
            ids=parts.ids,
            limits=limits_of(settings),
            environment=settings.environment.value,
            prices=self._price,
            basis=settings.portfolio.cost_basis,
            state=loader.state,
            adopt_into=settings.orders.adopt_into if settings.orders.foreign == "adopt" else "",
            mismatch=mismatch(settings.environment.value, venue.address),
        )
        loader.report(self.core.ledger.objection, parts.tell)
        self._state = StateKeeper(
            self.core, loader.store, parts.installation.journal, parts.views, parts.clock, parts.tell
        )
        plans = {bot.name: sleeve_plan(bot) for bot in settings.active_bots}
        self._signals = SignalDesk(self.core, plans, self._price, parts.clock, self._dropped)
        self._link = VenueLink(self.core, self._stream_is_up, self._compared)
        self._updates = TradeUpdates(lambda: venue.address, self.core.on_trade_update, self._on_stream)
        self.paused_for = recovered.facts.get(PAUSE_FACT, "")
        """Why bots were paused when the last run ended; empty when they were not."""
        self._show(recovered)

    async def begin(self) -> None:
        parts, core = self._parts, self.core
        await self.broker.warm_up()
        pulse = Pulse(
            parts.views, parts.clock, parts.market, parts.projection, core, self.broker, self._stream_is_up,
            parts.components, parts.schedule, parts.tell, parts.bus.figures,
        )  # fmt: skip
        await pulse.ask_clock()
        await core.refresh_account()
        needs = (EXCHANGE,) if parts.venue.is_local else ()
        parts.components.add(Component(name=BROKER_STREAM, depends_on=needs))
        parts.components.add(Component(name=RECONCILIATION, depends_on=(BROKER_STREAM,)))
        parts.keeper.keep(BROKER_STREAM, self._updates.run, counts=False)
        pulse.join(parts.schedule, parts.settings.engine)
        parts.schedule.every(FOLLOW_EVERY, "watch list", FollowHeld(parts.feeds, core.ledger, self.broker).look)
        parts.schedule.join("positions", self._state.compare)
        parts.schedule.join("snapshot", self._state.save)
        parts.schedule.join("rebalance", self._signals.rebalance)
        self._signals.paused = bool(self.paused_for)
        parts.router.on_signal = self._signals.take
        parts.router.on_order_end = self._signals.wake

    async def pause(self, reason: str) -> None:
        """Holds at once. Raises OrderError when it cannot be written down for the next start."""
        self._signals.paused = True
        await self._journal.append(Fact(PAUSE_FACT, reason or "paused"))

    async def resume(self) -> None:
        """Raises OrderError when it cannot be written down; then bots stay paused."""
        await self._journal.append(Fact(PAUSE_FACT, ""))
        self._signals.paused = False

    async def reduce(self, reason: str) -> None:
        """Only orders that shrink exposure from now on; a state that allows less stays."""
        if self.core.trading_state is TradingState.ACTIVE:
            await self.core.set_trading_state(TradingState.REDUCING, reason)

    async def stop_orders(self) -> None:
        """No new ones; while the venue still runs, what is on the wire comes to its end."""
        await self._signals.close()
        await self._link.close()
        await self.core.stop()
        await save_last(self._state)

    def _show(self, recovered: Recovered) -> None:
        for order in recovered.orders:
            self._parts.projection.order(order)
        for fill in recovered.fills[-FILLS_SHOWN:]:
            self._parts.projection.fill(fill, news=False)

    def _price(self, symbol: str) -> PriceView | None:
        market = self._parts.market
        quote = market.quote(symbol)
        if quote is None:
            return None
        return PriceView(bid=quote.bid, ask=quote.ask, last=quote.last, age=market.quote_age(symbol))

    def _dropped(self, signal: Signal, reason: str) -> None:
        text = f"{signal.sleeve}: {signal.symbol} dropped, {reason}"
        self._parts.projection.activity("signal", text, Severity.WARNING)

    def _stream_is_up(self) -> bool:
        return self._updates.state is StreamState.LISTENING

    def _on_stream(self, state: StreamState, reason: str) -> None:
        if state is StreamState.LISTENING:
            self._parts.components.running(BROKER_STREAM)
            self._link.up(reason or "the trade-updates stream is connected")
        elif state is StreamState.DISCONNECTED:
            # It pauses and connects again by itself, also after it was given up.
            self._parts.components.failed(BROKER_STREAM, reason)
            self._link.down(reason)

    def _compared(self, failure: str) -> None:
        if failure:
            self._parts.components.failed(RECONCILIATION, failure)
        else:
            self._parts.components.running(RECONCILIATION)
            self._parts.keeper.spawn(self._state.compare(), "compare the books")
