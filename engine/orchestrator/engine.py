"""The trading engine: starts the parts in order, mends them, pauses, and stops cleanly."""

from __future__ import annotations

import asyncio
import logging

from engine.clock import Clock, SystemClock
from engine.config.settings import Settings
from engine.domain.errors import UnavailableError
from engine.domain.events import Severity
from engine.installation import Installation, door_path
from engine.observability import logs
from engine.orchestrator.components import Component
from engine.orchestrator.door import Door
from engine.orchestrator.front import Front
from engine.orchestrator.parts import NAME, Parts
from engine.orchestrator.plan import EXCHANGE, HUB, plan
from engine.orchestrator.state import StateLoader
from engine.orchestrator.states import EngineState, Lifecycle
from engine.orchestrator.trading import Trading
from engine.processes.events import StateChanged
from engine.processes.registry import sweep
from engine.processes.states import ProcessState
from engine.storage.journal import Journal, open_journal
from engine.storage.trail import Recovered
from engine.streams.messages import (
    BOT_STATUS,
    CANDLES,
    FEED_GAPS,
    FEED_HEALTH,
    FEED_STATUS,
    HISTORY_REPLY,
    INDICATORS,
    QUOTES,
    RECORDER_STATUS,
    SIGNALS,
)

log = logging.getLogger(__name__)

START_TIMEOUT = 30.0
TOPICS = (
    QUOTES, CANDLES, INDICATORS, FEED_STATUS, FEED_HEALTH, FEED_GAPS, RECORDER_STATUS, SIGNALS, BOT_STATUS,
    HISTORY_REPLY + NAME,
)  # fmt: skip
"""What the engine hears on the hub."""
MARKET_LINK, ROUTINE, LOOP_WATCH, EXCHANGE_FAULTS = "market link", "routine", "loop watch", "exchange faults"
FEED_SCALING = "feed scaling"
PAUSED_TEXT = "Bots' signals are not acted on; orders by hand, cancels and protection go on."


class TradingEngine(Front):
    """Implements `engine.control.EngineControl`. `installation` must be entered; one event loop, the caller's."""

    def __init__(self, settings: Settings, installation: Installation, clock: Clock | None = None) -> None:
        super().__init__(Parts(settings, installation, clock or SystemClock()))
        self._life = Lifecycle(self._changed)
        self._handlers: list[logging.Handler] = []
        self._journal: Journal | None = None
        self._door = Door(self, self._parts.clock, door_path(installation.data))

    @property
    def state(self) -> EngineState:
        return self._life.state

    async def start(self) -> None:
        """Returns when orders can be placed. Raises PaddockError when a part that is needed cannot start; then stopped."""
        began = self._parts.clock.monotonic()
        self._life.change_state(EngineState.STARTING)
        try:
            trading = await self._start()
        except BaseException:
            await self._stop()
            if self.state is EngineState.STARTING:
                self._life.change_state(EngineState.FAILED)
            raise
        if trading.paused_for:
            self._life.change_state(EngineState.PAUSED, f"since the last run: {trading.paused_for}")
        else:
            self._life.change_state(EngineState.RUNNING)
        log.info("engine ready in %.1f s", self._parts.clock.monotonic() - began)

    async def stop(self) -> None:
        """Bots first, the venue's connection last; every child is gone on return."""
        if self.state.is_over or self.state is EngineState.STOPPING:
            return
        self._life.change_state(EngineState.STOPPING)
        await self._stop()
        self._life.change_state(EngineState.STOPPED)

    async def pause(self, reason: str) -> None:
        self._must_be_up("paused")
        if self.state is EngineState.RUNNING:
            self._life.change_state(EngineState.PAUSED, reason)
        await self._trading_part.pause(reason)

    async def resume(self) -> None:
        self._must_be_up("resumed")
        await self._trading_part.resume()
        if self.state is EngineState.PAUSED:
            self._life.change_state(EngineState.RUNNING)

    # Start and stop

    async def _start(self) -> Trading:
        parts = self._parts
        loop = asyncio.get_running_loop()
        self._handlers = [logs.log_to_file(parts.installation.logs), logs.Listener(loop, parts.router.own_log)]
        logging.getLogger().addHandler(self._handlers[1])
        await parts.letters.open()
        await parts.incidents.open()
        await self._sweep()
        parts.bus.start()
        parts.router.join(parts.bus)
        parts.router.on_process = self._on_process
        parts.router.on_component_failed = self._on_component_failed
        self._add_components()
        parts.keeper.keep(LOOP_WATCH, self._watch_loop)
        await parts.transport.start()
        await self._door.open()
        self._listen()
        journal, recovered = await self._open_children()
        loader = StateLoader(parts.installation.snapshots)
        await asyncio.to_thread(loader.load)
        self._trading = trading = Trading(parts, journal, recovered, loader)
        await trading.begin()
        parts.backups.join(parts.schedule)
        parts.capacity.join(parts.schedule)
        parts.keeper.keep(ROUTINE, parts.schedule.run)
        parts.keeper.keep(FEED_SCALING, parts.feeds.run)
        if parts.venue.is_local:
            parts.keeper.keep(EXCHANGE_FAULTS, parts.faults.run)
        return trading

    async def _sweep(self) -> None:
        """Children of a run that was killed must not trade on beside ours."""
        for left in await asyncio.to_thread(sweep, self._parts.installation.all_children):
            log.warning("%s was left by an earlier run of Paddock, and was ended", left)

    async def _open_children(self) -> tuple[Journal, Recovered]:
        """Hub and exchange first, the journal meanwhile, then the rest."""
        parts = self._parts
        supervisor = parts.supervisor
        first = [HUB, EXCHANGE] if parts.venue.is_local else [HUB]
        opening = asyncio.create_task(asyncio.to_thread(open_journal, parts.installation.journal))
        try:
            await supervisor.start(first)
            await asyncio.gather(*(self._running(name) for name in first))
        finally:
            self._journal, recovered = await opening
        if parts.venue.is_local:
            parts.venue.found_at(supervisor.detail(EXCHANGE))
        await supervisor.start_all([name for name in supervisor.names if name not in first])
        return self._journal, recovered

    async def _stop(self) -> None:
        parts, trading = self._parts, self._trading
        await self._door.close()
        await parts.backtests.close()
        parts.backups.close()
        if trading is not None:
            await trading.stop_orders()
        await parts.keeper.close()
        await parts.supervisor.stop_all()
        if trading is not None:
            await trading.broker.close()
        await parts.transport.close()
        await parts.bus.close()
        await parts.letters.close()
        await parts.incidents.close()
        if self._journal is not None:
            await self._journal.close()
        for handler in self._handlers:
            logs.remove(handler)

    def _add_components(self) -> None:
        parts = self._parts
        for spec in plan(parts.settings, parts.installation, parts.hub, parts.venue, parts.feeds.share_of):
            parts.supervisor.add(spec)
            parts.components.add(
                Component(name=spec.name, depends_on=tuple(spec.depends_on), critical=spec.critical, is_process=True)
            )
        parts.components.add(Component(name=MARKET_LINK, depends_on=(HUB,)))
        parts.components.add(Component(name=ROUTINE))
        for name in (LOOP_WATCH, EXCHANGE_FAULTS, FEED_SCALING):
            parts.components.add(Component(name=name, critical=False))

    async def _running(self, name: str) -> None:
        supervisor = self._parts.supervisor
        try:
            state = await supervisor.wait_state(name, (ProcessState.RUNNING, ProcessState.FATAL), START_TIMEOUT)
        except TimeoutError:
            state = ProcessState.FATAL
        if state is ProcessState.FATAL:
            row = self.views.processes.get(name)
            said = row.last_exit if row is not None else ""
            raise UnavailableError(f"{name} did not start: {said}", "See its log in the data folder under logs.")

    def _listen(self) -> None:
        subscription = self._parts.transport.subscribe(TOPICS)

        async def listen() -> None:
            async for batch in subscription:
                self._parts.router.hub(batch)

        self._parts.keeper.keep(MARKET_LINK, listen)

    async def _watch_loop(self) -> None:
        """Tell when the event loop was held up: a window that freezes must not do so silently."""
        clock = self._parts.clock
        while True:
            before = clock.monotonic()
            await asyncio.sleep(0.25)
            late = clock.monotonic() - before - 0.25
            if late > 1.0:
                log.info("the event loop was held up for %.1f s", late)

    # News

    def _on_process(self, event: StateChanged) -> None:
        parts = self._parts
        if event.name == EXCHANGE and event.new is ProcessState.RUNNING:
            parts.venue.found_at(parts.supervisor.detail(EXCHANGE))
        if event.name not in parts.components:
            return
        if event.new is ProcessState.RUNNING:
            parts.components.running(event.name)
        elif event.new in (ProcessState.BACKOFF, ProcessState.UNRESPONSIVE):
            parts.components.recovering(event.name, event.reason or event.new.value)
        elif event.new in (ProcessState.FATAL, ProcessState.STUCK):
            parts.components.give_up(event.name, event.reason or event.new.value)
        elif event.new is ProcessState.STOPPED:
            parts.components.stopped(event.name)

    def _on_component_failed(self, component: Component) -> None:
        if not component.is_process:
            self._parts.tell(
                component.name,
                f"The {component.name} was given up after {component.tries} attempts: {component.reason}",
                "Only orders that reduce pass until you activate trading again. Look at the network and the log; restart Paddock.",
                Severity.CRITICAL,
            )
        if component.critical and self._trading is not None:
            self._parts.keeper.spawn(self._trading.reduce(f"{component.name} cannot be kept running"), "reduce")

    def _must_be_up(self, what: str) -> None:
        if not self.state.is_up:
            raise UnavailableError(
                f"The engine is {self.state.value} and cannot be {what}.", "Try again when it is RUNNING."
            )

    def _changed(self, old: EngineState, new: EngineState, reason: str) -> None:
        summary = self.views.summary
        summary.engine_state = new.value
        summary.engine_state_reason = f"{PAUSED_TEXT} ({reason})" if new is EngineState.PAUSED else reason
        log.info("engine %s, was %s%s", new.value, old.value, f": {reason}" if reason else "")
        self._parts.publish(NAME, new.value, summary.engine_state_reason, "", Severity.INFO)
