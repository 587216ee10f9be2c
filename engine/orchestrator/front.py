"""What a front end asks of the engine, handed on to the part that knows."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from engine.backtest.result import BacktestResult, BacktestSpec
from engine.control import EmergencyReport, ExchangeFault, Hop, LogLine, Placed, Verdict
from engine.domain.errors import DataError, PaddockError, UnavailableError
from engine.domain.events import Severity, TradingState
from engine.domain.market import Bar, IndicatorValues, Timeframe
from engine.domain.orders import OrderChanges, OrderRequest
from engine.execution.trading import TradingCore
from engine.orchestrator.backtests import RunningBacktest
from engine.orchestrator.needed_symbols import refuse_if_needed
from engine.orchestrator.parts import Parts
from engine.orchestrator.schedule import Schedule
from engine.orchestrator.trading import Trading
from engine.views import ProcessSample

log = logging.getLogger(__name__)

EMERGENCY_PATIENCE = 3.0
"""Seconds after which an emergency stop says what it knows, and goes on by itself."""


class Front:
    """All of `engine.control.EngineControl` but the life of the engine."""

    def __init__(self, parts: Parts) -> None:
        self.views = parts.views
        self._parts = parts
        self._trading: Trading | None = None

    @property
    def schedule(self) -> Schedule:
        """Where other parts join "risk check", "rebalance", "health check" and "snapshot"."""
        return self._parts.schedule

    @property
    def _trading_part(self) -> Trading:
        if self._trading is None:
            raise UnavailableError("The engine is still starting.", "Try again in a moment.")
        return self._trading

    @property
    def _core(self) -> TradingCore:
        return self._trading_part.core

    # Orders

    async def place_order(self, request: OrderRequest) -> Placed:
        return await self._core.place(request)

    def check_order(self, request: OrderRequest) -> Verdict:
        if self._trading is None:
            return Verdict(allowed=False, rule="starting", message="The engine is still starting.")
        return self._trading.core.check(request)

    async def replace_order(self, client_order_id: str, changes: OrderChanges) -> Placed:
        return await self._core.replace(client_order_id, changes)

    def check_change(self, client_order_id: str, changes: OrderChanges) -> Verdict:
        return self._core.check_change(client_order_id, changes)

    async def adopt_order(self, client_order_id: str, sleeve: str) -> None:
        await self._core.adopt(client_order_id, sleeve)

    def flight(self, client_order_id: str) -> list[Hop]:
        return [] if self._trading is None else self._core.flights.of(client_order_id)

    async def cancel_order(self, client_order_id: str) -> None:
        await self._core.cancel(client_order_id)

    async def cancel_all_orders(self) -> int:
        return await self._core.cancel_all()

    async def close_position(self, symbol: str) -> None:
        """`symbol`, or symbol|sleeve for one sleeve's. Raises OrderError with the reason when it was not accepted."""
        name, _, sleeve = symbol.partition("|")
        for placed in await self._core.close_position(name, sleeve or None):
            if placed.status in {"blocked", "rejected"}:
                raise PaddockError(f"{name} was not closed: {placed.message}", "See the order in the list.")

    async def emergency_stop(self, reason: str, flatten: bool = True) -> EmergencyReport:
        report = await self._core.emergency_stop(reason, flatten, EMERGENCY_PATIENCE)
        self._parts.projection.activity("alert", f"Emergency stop: {report.text}", Severity.WARNING)
        log.info("emergency stop: %s; %s", report.text, "; ".join(report.steps))
        return report

    def emergency_report(self) -> EmergencyReport | None:
        return None if self._trading is None else self._core.emergency_report

    async def reassign_external(self, symbol: str, sleeve: str) -> None:
        given = await self._core.reassign_external(symbol, sleeve)
        self._parts.projection.activity("position", f"{sleeve} was given {given:+f} {symbol} from outside")

    async def halt(self, reason: str) -> None:
        await self._core.set_trading_state(TradingState.HALTED, reason)

    async def allow_trading(self) -> None:
        await self._core.set_trading_state(TradingState.ACTIVE, "")

    # Processes

    async def start_processes(self, names: Sequence[str]) -> None:
        await self._parts.supervisor.start(names)

    async def stop_processes(self, names: Sequence[str]) -> None:
        await self._parts.supervisor.stop(names)

    async def restart_processes(self, names: Sequence[str]) -> None:
        await self._parts.supervisor.restart(names)

    def scale_feeds(self, count: int) -> None:
        self._parts.feeds.choose(count)

    async def exchange_fault(self, fault: ExchangeFault) -> None:
        if not self._parts.venue.is_local:
            raise PaddockError("Alpaca cannot be told to fail.", "Try faults in the demo or in a replay.")
        await self._parts.faults.set(fault)

    def process_history(self, name: str) -> list[ProcessSample]:
        return self._parts.supervisor.history(name)

    def process_log(self, name: str, after: int = 0) -> list[LogLine]:
        return self._parts.supervisor.log(name, after)

    # Market

    async def history(self, symbol: str, timeframe: Timeframe, limit: int = 500) -> list[Bar]:
        return await self._parts.history.ask(symbol, timeframe, limit)

    def live_bars(self, symbol: str, timeframe: Timeframe, after: int) -> list[Bar]:
        return self._parts.market.bars(symbol, timeframe, after)

    def indicators(self, symbol: str, timeframe: Timeframe, after: int) -> list[IndicatorValues]:
        return self._parts.market.indicators.of(symbol, timeframe, after)

    async def watch(self, symbol: str) -> None:
        if await self._trading_part.broker.asset(symbol) is None:
            raise DataError(f"The venue does not know {symbol}.", "Check the symbol; crypto pairs look like BTC/USD.")
        self._parts.feeds.watch(symbol)
        await self._parts.watch_list.add(symbol)

    async def unwatch(self, symbol: str) -> None:
        refuse_if_needed(symbol, self.views)
        self._parts.feeds.unwatch(symbol)
        self._parts.market.forget(symbol)
        await self._parts.watch_list.remove(symbol)

    # Errors and backtests

    def resolve_error(self, fingerprint: str) -> None:
        self._parts.errors.resolve(fingerprint)

    def mute_error(self, fingerprint: str) -> None:
        self._parts.errors.mute(fingerprint)

    def report_error(
        self, component: str, message: str, *, remedy: str = "", detail: str = "", severity: str = "error"
    ) -> None:
        self._parts.errors.record(component, message, severity=Severity(severity), remedy=remedy, detail=detail)

    async def deliver_dead_letters(self, keys: Sequence[str]) -> None:
        await self._parts.letters.deliver(keys, self._parts.bus.redeliver)

    async def discard_dead_letters(self, keys: Sequence[str]) -> None:
        await self._parts.letters.discard(keys)

    async def start_backtest(self, spec: BacktestSpec) -> RunningBacktest:
        return await self._parts.backtests.start(spec)

    def backtest_results(self) -> list[BacktestResult]:
        return self._parts.backtests.results()
