"""What the engine does again and again: ask the venue, mark positions, tell its health."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal

from engine.broker.base import Broker, MarketClock
from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.execution.trading import TradingCore
from engine.orchestrator.health import feed_state, state_of, write_health
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.plan import HUB
from engine.orchestrator.projection import Projection
from engine.views import Views

log = logging.getLogger(__name__)

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
    ) -> None:
        self._views = views
        self._clock = clock
        self._market = market
        self._projection = projection
        self._core = core
        self._broker = broker
        self._trade_stream_up = trade_stream_up
        self._failing: dict[str, str] = {}
        self._venue_clock: tuple[MarketClock, float] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(
            self._every(1.0, "display", self._display),
            self._every(ACCOUNT_EVERY, "account", self._core.refresh_account),
            self._every(CLOCK_EVERY, "market clock", self.ask_clock),
            self._every(ORDERS_EVERY, "orders", self._core.poll_orders),
            self._every(POSITIONS_EVERY, "positions", self._core.poll_positions),
        )

    async def ask_clock(self) -> None:
        said = await self._broker.clock()
        self._venue_clock = (said, self._clock.monotonic())
        self._core.session.take(said)

    async def _every(self, seconds: float, name: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            started = self._clock.monotonic()
            try:
                await work()
                if self._failing.pop(name, None):
                    log.info("%s: the venue answers again", name)
            except PaddockError as error:
                # Told once for each new reason, not every two seconds.
                if self._failing.get(name) != error.message:
                    self._failing[name] = error.message
                    log.warning("%s: %s", name, error.message, exc_info=error)
            await asyncio.sleep(max(seconds - (self._clock.monotonic() - started), 0.05))

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
        summary.hub_state = state_of(self._views.processes.get(HUB))
        write_health(self._views.health, self._views.processes, summary, detail, "", self._clock.now())

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
        values: dict[str, float] = {}
        for position in self._core.ledger.positions:
            values[position.symbol] = values.get(position.symbol, 0.0) + float(position.market_value)
        summary.gross_exposure = sum(abs(value) for value in values.values())
        summary.net_exposure = sum(values.values())
        equity, last = summary.equity, summary.last_equity
        summary.gross_limit_used = summary.gross_exposure / (equity * limits.max_gross_exposure) if equity else 0.0
        loss = max(last - equity, 0.0) / last if last else 0.0
        summary.day_loss_used = loss / limits.daily_loss_halted
        placed = self._core.ledger.book.recent.count(self._clock.now() - MINUTE)
        summary.order_rate_used = placed / limits.orders_per_minute

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
