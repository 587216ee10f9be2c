"""What the engine does again and again: ask the venue, mark positions, tell its health."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.broker.base import Broker, MarketClock
from engine.bus import BusFigures
from engine.clock import Clock
from engine.config.trading import EngineSection
from engine.execution.trading import TradingCore
from engine.orchestrator.checks import Tell, Watch, ailments, risks
from engine.orchestrator.components import Components
from engine.orchestrator.health import (
    feed_state,
    hub_state,
    write_bus,
    write_components,
    write_gaps,
    write_health,
    write_history,
    write_recorder,
    write_revisions,
)
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.plan import HUB
from engine.orchestrator.projection import Projection
from engine.orchestrator.schedule import Schedule
from engine.views import Views

ACCOUNT_EVERY = 2.0
CLOCK_EVERY = 5.0
ORDERS_EVERY = 10.0
POSITIONS_EVERY = 60.0
MINUTE = 60 * 1_000_000_000


class Pulse:
    def __init__(
        self,
        views: Views,
        clock: Clock,
        market: MarketMemory,
        projection: Projection,
        core: TradingCore,
        broker: Broker,
        trade_stream_up: Callable[[], bool],
        components: Components,
        schedule: Schedule,
        tell: Tell,
        bus_figures: Callable[[], BusFigures],
    ) -> None:
        self._views = views
        self._clock = clock
        self._market = market
        self._projection = projection
        self._core = core
        self._broker = broker
        self._trade_stream_up = trade_stream_up
        self._components = components
        self._bus_figures = bus_figures
        self._failing = schedule.failing
        self._risks = Watch("risk", tell)
        self._ailments = Watch("health", tell)
        self._venue_clock: tuple[MarketClock, float] | None = None

    def join(self, schedule: Schedule, settings: EngineSection) -> None:
        schedule.every(1.0, "display", self._display)
        schedule.every(ACCOUNT_EVERY, "account", self._core.refresh_account)
        schedule.every(CLOCK_EVERY, "market clock", self.ask_clock)
        schedule.every(ORDERS_EVERY, "orders", self._core.poll_orders)
        schedule.every(POSITIONS_EVERY, "positions", self._core.poll_positions)
        schedule.every(settings.risk_check_s, "risk check", self._check_risk, at_once=False)
        schedule.every(settings.health_check_s, "health check", self._check_health, at_once=False)
        schedule.every(settings.rebalance_s, "rebalance", at_once=False)
        schedule.every(settings.snapshot_s, "snapshot", at_once=False)

    async def ask_clock(self) -> None:
        said = await self._broker.clock()
        self._venue_clock = (said, self._clock.monotonic())
        self._core.session.take(said)

    async def _check_risk(self) -> None:
        account = self._core.account
        if account is not None:
            self._risks.look(risks(self._values(), account.equity, self._core.limits))

    async def _check_health(self) -> None:
        self._ailments.look(ailments(self._views.health))

    async def _display(self) -> None:
        self._mark()
        summary = self._views.summary
        core = self._core
        summary.trading_state = core.trading_state
        summary.trading_state_reason = core.trading_state_reason
        self._projection.positions(core.ledger.positions, summary.equity)
        self._exposure()
        self._market_figures()
        summary.feed_state, detail = feed_state(self._market, core.market_open)
        summary.feed_age = self._market.age
        summary.broker_latency_ms = self._broker.latency_ms
        summary.broker_state = self._broker_state()
        summary.hub_state = hub_state(self._views.processes.get(HUB), summary.hub_reason)
        write_health(self._views.health, self._views.processes, summary, detail, "", self._clock.now())
        write_bus(self._views.health, self._bus_figures(), self._clock.now())
        write_recorder(self._views.health, self._market.recorder, self._clock.now())
        write_history(self._views.health, next(iter(self._market.feeds.values()), None), self._clock.now())
        write_gaps(self._views.health, self._market, self._clock.now())
        write_revisions(self._views.health, self._market, self._views.bots, self._clock.now())
        write_components(self._views.health, self._components, self._clock.now())

    def _broker_state(self) -> str:
        if {"account", "orders"} & set(self._failing):
            return "bad"
        return "good" if self._trade_stream_up() else "warning"

    def _mark(self) -> None:
        for symbol in self._core.ledger.positions.symbols:
            quote = self._market.quote(symbol)
            if quote is not None and quote.last > 0:
                self._core.ledger.positions.mark(symbol, Decimal(repr(quote.last)))

    def _exposure(self) -> None:
        summary, limits = self._views.summary, self._core.limits
        values = [float(value) for value in self._values().values()]
        summary.gross_exposure = sum(map(abs, values))
        summary.net_exposure = sum(values)
        equity, last = summary.equity, summary.last_equity
        summary.gross_limit_used = summary.gross_exposure / (equity * limits.max_gross_exposure) if equity else 0.0
        loss = max(last - equity, 0.0) / last if last else 0.0
        summary.day_loss_used = loss / limits.daily_loss_halted
        placed = self._core.ledger.book.recent.count(self._clock.now() - MINUTE)
        summary.order_rate_used = placed / limits.orders_per_minute

    def _values(self) -> dict[str, Decimal]:
        """Signed market values by symbol."""
        values: dict[str, Decimal] = {}
        for position in self._core.ledger.positions:
            values[position.symbol] = values.get(position.symbol, Decimal(0)) + position.market_value
        return values

    def _market_figures(self) -> None:
        if self._venue_clock is None:
            return
        said, asked_at = self._venue_clock
        summary = self._views.summary
        elapsed = (self._clock.monotonic() - asked_at) * said.speed
        summary.market_open = said.is_open
        summary.market_time = said.timestamp + round(elapsed * 1e9)
        summary.next_change = said.next_close if said.is_open else said.next_open
        summary.market_speed = said.speed
