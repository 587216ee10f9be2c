"""The trading engine: starts the parts in order, holds them together, answers a front end, and stops cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from engine.backtest.result import BacktestResult, BacktestSpec
from engine.broker.alpaca import AlpacaBroker
from engine.broker.trade_updates import StreamState, TradeUpdates
from engine.bus import Bus
from engine.clock import Clock, IdFactory, SystemClock
from engine.config.settings import Settings
from engine.control import EmergencyReport, ExchangeFault, LogLine, Placed, Verdict
from engine.domain.errors import DataError, PaddockError, UnavailableError
from engine.domain.events import Severity, TradingState
from engine.domain.market import Bar, Timeframe
from engine.domain.orders import OrderRequest
from engine.execution.link import VenueLink
from engine.execution.signals import SignalDesk
from engine.execution.trading import TradingCore
from engine.installation import Installation
from engine.observability import logs
from engine.observability.errors import ErrorBook
from engine.orchestrator.backtests import BacktestDesk, RunningBacktest
from engine.orchestrator.dead_letters import DeadLetterDesk
from engine.orchestrator.exchange_faults import ExchangeFaults
from engine.orchestrator.market import HistoryDesk, MarketMemory
from engine.orchestrator.plan import EXCHANGE, HUB, Venue, limits_of, plan, sleeve_plan
from engine.orchestrator.projection import Projection
from engine.orchestrator.pulse import Pulse
from engine.orchestrator.router import Router
from engine.processes.events import StateChanged
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.risk.context import PriceView
from engine.risk.identity import mismatch
from engine.storage.journal import Journal, open_journal
from engine.streams.messages import (
    BOT_STATUS,
    CANDLES,
    FEED_STATUS,
    HISTORY_REPLY,
    QUOTES,
    SIGNALS,
    WATCH,
    Signal,
    Watch,
)
from engine.streams.zeromq import ZeromqTransport, private_hub_address
from engine.views import Views

log = logging.getLogger(__name__)

NAME = "engine"
START_TIMEOUT = 30.0


class EngineState(StrEnum):
    CREATED = "CREATED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAULTED = "FAULTED"


class TradingEngine:
    """Implements `engine.control.EngineControl`. `installation` must be entered; one event loop, the caller's."""

    def __init__(self, settings: Settings, installation: Installation, clock: Clock | None = None) -> None:
        self.views = Views()
        self.state = EngineState.CREATED
        self._settings = settings
        self._installation = installation
        self._clock = clock or SystemClock()
        self._ids = IdFactory(self._clock)
        self._venue = Venue(settings)
        self._faults = ExchangeFaults(lambda: self._venue.url, self.views.summary)
        self._market = MarketMemory(self.views.quotes, self._clock)
        self._hub = private_hub_address(installation.run)
        self._transport = ZeromqTransport(self._hub, NAME, self._clock)
        self._history = HistoryDesk(NAME, self._transport.publish, self._ids)
        self._errors = ErrorBook(self.views.errors, self._clock)
        self._projection = Projection(self.views, self._clock, settings)
        self._router = Router(self._projection, self._errors, self._market, self._history)
        self._letters = DeadLetterDesk(installation.dead_letters, self.views.dead_letters, self._clock)
        self._bus = Bus(self._router.handler_failed, on_dead=self._letters.take, monotonic=self._clock.monotonic)
        self._supervisor = Supervisor(
            self.views.processes, self._clock, log_folder=installation.logs, on_event=self._router.process
        )
        self._backtests = BacktestDesk(installation.backtests, self._clock, self._ids, self._router.process)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._handlers: list[logging.Handler] = []
        self._journal: Journal | None = None
        self._broker: AlpacaBroker | None = None
        self._core_part: TradingCore | None = None
        self._signals: SignalDesk | None = None
        self._link: VenueLink | None = None
        self._updates: TradeUpdates | None = None
        self.views.summary.environment = settings.environment.value

    # Life

    async def start(self) -> None:
        """Returns when orders can be placed. Raises PaddockError when a part that is needed cannot start; then stopped."""
        self._change(EngineState.STARTING)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            self._change(EngineState.FAULTED)
            raise
        self._change(EngineState.RUNNING)

    async def stop(self) -> None:
        """Bots first, the venue's connection last; every child is gone on return."""
        if self.state in {EngineState.STOPPED, EngineState.FAULTED, EngineState.STOPPING}:
            return
        self._change(EngineState.STOPPING)
        await self._stop()
        self._change(EngineState.STOPPED)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._handlers = [logs.log_to_file(self._installation.logs), logs.Listener(loop, self._router.own_log)]
        logging.getLogger().addHandler(self._handlers[1])
        await self._letters.open()
        self._bus.start()
        self._router.join(self._bus)
        self._router.on_process = self._on_process
        for spec in plan(self._settings, self._installation, self._hub, self._venue):
            self._supervisor.add(spec)
        self._spawn(self._watch_loop(), "loop-watch")
        await self._transport.start()
        self._listen()
        first = [HUB, EXCHANGE] if self._venue.is_local else [HUB]
        opening = asyncio.create_task(asyncio.to_thread(open_journal, self._installation.journal))
        await self._supervisor.start(first)
        try:
            await asyncio.gather(*(self._running(name) for name in first))
        finally:
            self._journal, recovered = await opening
        if self._venue.is_local:
            self._venue.found_at(self._supervisor.detail(EXCHANGE))
        others = [name for name in self._supervisor.names if name not in first]
        await self._supervisor.start_all(others)
        self._broker = AlpacaBroker(self._venue.address, self._clock)
        self._core_part = core = TradingCore(
            broker=self._broker,
            journal=self._journal,
            recovered=recovered,
            bus=self._bus,
            clock=self._clock,
            ids=self._ids,
            limits=limits_of(self._settings),
            environment=self._settings.environment.value,
            prices=self._price,
            basis=self._settings.portfolio.cost_basis,
            mismatch=mismatch(self._settings.environment.value, self._venue.address),
        )
        for order in recovered.orders:
            self._projection.order(order)
        for fill in recovered.fills[-1_000:]:
            self._projection.fill(fill, news=False)
        await self._broker.warm_up()
        await self._begin_trading(core, self._broker)

    async def _begin_trading(self, core: TradingCore, broker: AlpacaBroker) -> None:
        plans = {bot.name: sleeve_plan(bot) for bot in self._settings.active_bots}
        desk = SignalDesk(core, plans, self._price, self._clock, self._dropped)
        self._signals = desk
        self._link = VenueLink(core, self._stream_is_up)
        self._updates = TradeUpdates(lambda: self._venue.address, core.on_trade_update, self._on_stream)
        pulse = Pulse(self.views, self._clock, self._market, self._projection, core, broker, self._stream_is_up)
        await pulse.ask_clock()
        await core.refresh_account()
        self._spawn(self._updates.run(), "trade-updates")
        self._spawn(pulse.run(), "pulse")
        if self._venue.is_local:
            self._spawn(self._faults.run(), "exchange-faults")
        self._router.on_signal = desk.take
        self._router.on_order_end = desk.wake

    async def _stop(self) -> None:
        if self._signals is not None:
            await self._signals.close()
        await self._backtests.close()
        if self._link is not None:
            await self._link.close()
        if self._core_part is not None:
            # While the venue still runs: what is on the wire comes to its end.
            await self._core_part.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._supervisor.stop_all()
        if self._broker is not None:
            await self._broker.close()
        await self._transport.close()
        await self._bus.close()
        await self._letters.close()
        if self._journal is not None:
            await self._journal.close()
        for handler in self._handlers:
            logs.remove(handler)

    async def _running(self, name: str) -> None:
        try:
            state = await self._supervisor.wait_state(name, (ProcessState.RUNNING, ProcessState.FATAL), START_TIMEOUT)
        except TimeoutError:
            state = ProcessState.FATAL
        if state is ProcessState.FATAL:
            row = self.views.processes.get(name)
            said = row.last_exit if row is not None else ""
            raise UnavailableError(f"{name} did not start: {said}", "See its log in the data folder under logs.")

    def _listen(self) -> None:
        topics = [QUOTES, CANDLES, FEED_STATUS, SIGNALS, BOT_STATUS, HISTORY_REPLY + NAME]
        subscription = self._transport.subscribe(topics)

        async def listen() -> None:
            async for batch in subscription:
                self._router.hub(batch)

        self._spawn(listen(), "hub-listener")

    async def _watch_loop(self) -> None:
        """Tell when the event loop was held up: a window that freezes must not do so silently."""
        while True:
            before = self._clock.monotonic()
            await asyncio.sleep(0.25)
            late = self._clock.monotonic() - before - 0.25
            if late > 1.0:
                log.info("the event loop was held up for %.1f s", late)

    # Orders

    @property
    def _core(self) -> TradingCore:
        if self._core_part is None:
            raise UnavailableError("The engine is still starting.", "Try again in a moment.")
        return self._core_part

    async def place_order(self, request: OrderRequest) -> Placed:
        return await self._core.place(request)

    def check_order(self, request: OrderRequest) -> Verdict:
        if self._core_part is None:
            return Verdict(allowed=False, rule="starting", message="The engine is still starting.")
        return self._core_part.check(request)

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

    async def reassign_external(self, symbol: str, sleeve: str) -> None:
        given = await self._core.reassign_external(symbol, sleeve)
        self._projection.activity("position", f"{sleeve} was given {given:+f} {symbol} from outside")

    async def emergency_stop(self, reason: str, flatten: bool = True) -> EmergencyReport:
        report = await self._core.emergency_stop(reason, flatten)
        self._projection.activity("alert", f"Emergency stop: {report.text}", Severity.WARNING)
        log.info("emergency stop: %s; %s", report.text, "; ".join(report.steps))
        return report

    async def pause(self, reason: str) -> None:
        await self._core.set_trading_state(TradingState.HALTED, reason)

    async def resume(self) -> None:
        await self._core.set_trading_state(TradingState.ACTIVE, "")

    # Processes

    async def start_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.start(names)

    async def stop_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.stop(names)

    async def restart_processes(self, names: Sequence[str]) -> None:
        await self._supervisor.restart(names)

    async def exchange_fault(self, fault: ExchangeFault) -> None:
        if not self._venue.is_local:
            raise PaddockError("Alpaca cannot be told to fail.", "Try faults in the demo or in a replay.")
        await self._faults.set(fault)

    def process_log(self, name: str, after: int = 0) -> list[LogLine]:
        return self._supervisor.log(name, after)

    # Market

    async def history(self, symbol: str, timeframe: Timeframe, limit: int = 500) -> list[Bar]:
        return await self._history.ask(symbol, timeframe, limit)

    def live_bars(self, symbol: str, timeframe: Timeframe, after: int) -> list[Bar]:
        return self._market.bars(symbol, timeframe, after)

    async def watch(self, symbol: str) -> None:
        if self._broker is None:
            raise UnavailableError("The engine is still starting.", "Try again in a moment.")
        if await self._broker.asset(symbol) is None:
            raise DataError(f"The venue does not know {symbol}.", "Check the symbol; crypto pairs look like BTC/USD.")
        self._transport.publish(WATCH, Watch(add=[symbol]))

    async def unwatch(self, symbol: str) -> None:
        self._transport.publish(WATCH, Watch(remove=[symbol]))
        self._market.forget(symbol)

    # Errors and backtests

    def resolve_error(self, fingerprint: str) -> None:
        self._errors.resolve(fingerprint)

    def mute_error(self, fingerprint: str) -> None:
        self._errors.mute(fingerprint)

    def report_error(
        self, component: str, message: str, *, remedy: str = "", detail: str = "", severity: str = "error"
    ) -> None:
        self._errors.record(component, message, severity=Severity(severity), remedy=remedy, detail=detail)

    async def deliver_dead_letters(self, keys: Sequence[str]) -> None:
        await self._letters.deliver(keys, self._bus.redeliver)

    async def discard_dead_letters(self, keys: Sequence[str]) -> None:
        await self._letters.discard(keys)

    async def start_backtest(self, spec: BacktestSpec) -> RunningBacktest:
        return await self._backtests.start(spec)

    def backtest_results(self) -> list[BacktestResult]:
        return self._backtests.results()

    # Inside

    def _price(self, symbol: str) -> PriceView | None:
        quote = self._market.quote(symbol)
        if quote is None:
            return None
        return PriceView(bid=quote.bid, ask=quote.ask, last=quote.last, age=self._market.quote_age(symbol))

    def _dropped(self, signal: Signal, reason: str) -> None:
        self._projection.activity("signal", f"{signal.sleeve}: {signal.symbol} dropped, {reason}", Severity.WARNING)

    def _stream_is_up(self) -> bool:
        return self._updates is not None and self._updates.state is StreamState.LISTENING

    def _on_stream(self, state: StreamState, reason: str) -> None:
        if self._link is None:
            return
        if state is StreamState.LISTENING:
            self._link.up(reason or "the trade-updates stream is connected")
        elif state is StreamState.DISCONNECTED:
            self._link.down(reason)

    def _on_process(self, event: StateChanged) -> None:
        if event.name == EXCHANGE and event.new is ProcessState.RUNNING:
            self._venue.found_at(self._supervisor.detail(EXCHANGE))
        row = self.views.processes.get(event.name)
        if event.new is ProcessState.FATAL and row is not None and row.critical:
            core = self._core_part
            if core is not None and core.trading_state is TradingState.ACTIVE:
                reason = f"{event.name} cannot be kept running"
                self._spawn(core.set_trading_state(TradingState.REDUCING, reason), "reduce")

    def _spawn(self, work: Any, name: str) -> None:
        task: asyncio.Task[Any] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, PaddockError):
            self._errors.record(
                NAME, error.message, severity=Severity.CRITICAL, category=error.category, remedy=error.remedy
            )
        else:
            with contextlib.suppress(Exception):
                log.error("%s ended by an error nobody expected", task.get_name(), exc_info=error)

    def _change(self, state: EngineState) -> None:
        self.state = state
        self.views.summary.engine_state = state.value
        log.info("engine %s", state.value)
