"""Where news goes: process events, bus events and hub messages to the views, the error book and the trading core."""

from __future__ import annotations

import logging
from collections.abc import Callable

from engine.bus import Bus
from engine.domain.events import (
    Event,
    ExecutionEvent,
    OrderEvent,
    PortfolioEvent,
    RiskEvent,
    Severity,
    SystemEvent,
    TradingState,
)
from engine.domain.incidents import Incident, IncidentKind
from engine.observability.errors import ErrorBook
from engine.orchestrator.components import Component
from engine.orchestrator.gaps import told
from engine.orchestrator.market import HistoryDesk, MarketMemory
from engine.orchestrator.projection import Projection
from engine.processes.events import LogRecord, ProcessEvent, StateChanged
from engine.processes.states import ProcessState
from engine.streams.base import Delivery
from engine.streams.messages import (
    UNWELL,
    BotStatus,
    Gaps,
    HistoryReply,
    Message,
    RevisedSignals,
    Signal,
    Signals,
    StreamHealth,
)

log = logging.getLogger(__name__)

_SEVERITY = {"warning": Severity.WARNING, "error": Severity.ERROR, "critical": Severity.CRITICAL}
_LEVELS = {logging.WARNING: Severity.WARNING, logging.ERROR: Severity.ERROR, logging.CRITICAL: Severity.CRITICAL}


class Router:
    """What begins with `on_` is set by the engine when what they reach exists."""

    def __init__(self, projection: Projection, errors: ErrorBook, market: MarketMemory, history: HistoryDesk) -> None:
        self.on_signal: Callable[[Signal], None] = lambda signal: None
        self.on_order_end: Callable[[str, str], None] = lambda sleeve, symbol: None
        self.on_process: Callable[[StateChanged], None] = lambda event: None
        self.on_component_failed: Callable[[Component], None] = lambda component: None
        self.on_incident: Callable[[Incident, str], None] = lambda incident, error: None
        self._projection = projection
        self._errors = errors
        self._market = market
        self._history = history
        self._groups: dict[str, str] = {}
        """The error group of each process's newest incident."""

    def join(self, bus: Bus) -> None:
        """The names find the handlers again when a dead letter is delivered after a restart."""
        bus.subscribe(OrderEvent, self._on_order, name="orders")
        bus.subscribe(ExecutionEvent, lambda event: self._projection.fill(event.fill), name="fills")
        bus.subscribe(PortfolioEvent, lambda event: self._projection.account(event.account), name="account")
        bus.subscribe(RiskEvent, self._on_risk, name="risk verdicts")
        bus.subscribe(SystemEvent, self._on_system, name="alerts")

    def hub(self, batch: list[Delivery]) -> None:
        for delivery in batch:
            try:
                self._take(delivery.message)
            except Exception:
                # One message that nobody understands must not cut off the market.
                log.exception("a message on %s could not be taken", delivery.topic)

    def process(self, event: ProcessEvent) -> None:
        if isinstance(event, LogRecord):
            self._errors.record(
                event.name,
                event.text,
                severity=_SEVERITY.get(event.level, Severity.ERROR),
                category=event.category or "system",
                remedy=event.remedy,
                detail=event.traceback,
            )
        elif isinstance(event, Incident):
            self.on_incident(event, self._group_of(event))
        elif isinstance(event, StateChanged):
            self._projection.bot_state(event.name, event.new.value)
            self._on_state(event)
            self.on_process(event)

    def component_failed(self, component: Component) -> None:
        self.on_component_failed(component)

    def handler_failed(self, event: Event, error: BaseException) -> None:
        log.error("a handler of %s failed", type(event).__name__, exc_info=error)

    def own_log(self, logger: str, level: int, message: str, remedy: str, detail: str) -> None:
        severity = _LEVELS.get(level, Severity.ERROR)
        self._errors.record(logger, message, severity=severity, remedy=remedy, detail=detail)

    def _take(self, message: Message) -> None:
        if isinstance(message, Signals):
            for signal in message.signals:
                self._projection.signal(signal)
                self.on_signal(signal)
        elif isinstance(message, RevisedSignals):
            for revised in message.signals:
                self._projection.revised_signal(revised)
        elif isinstance(message, BotStatus):
            self._projection.bot_status(message)
        elif isinstance(message, HistoryReply):
            self._history.take(message)
        elif isinstance(message, StreamHealth):
            if message.now in UNWELL or message.was in UNWELL:
                severity = Severity.WARNING if message.now in UNWELL else Severity.INFO
                self._projection.activity("feed", f"{message.feed}: {message.words}", severity)
        elif isinstance(message, Gaps):
            self._market.gaps.take(message.gaps)
            self._projection.activity("feed", f"{message.feed}: {told(message.gaps)}")
        else:
            self._market.take(message)

    def _on_state(self, event: StateChanged) -> None:
        if event.new is ProcessState.BACKOFF:
            severity, text = Severity.WARNING, f"{event.name} ended unexpectedly: {event.reason}"
        elif event.new is ProcessState.UNRESPONSIVE:
            severity, text = Severity.WARNING, f"{event.name}: {event.reason}"
        elif event.new in {ProcessState.FATAL, ProcessState.STUCK}:
            severity, text = Severity.CRITICAL, f"{event.name} is {event.new.value}: {event.reason}"
        else:
            if event.new is ProcessState.RUNNING and event.old is ProcessState.STARTING:
                self._projection.activity("process", f"{event.name} runs")
            return
        remedy = event.remedy or "It is started again by itself; see its log under Processes."
        group = self._errors.record(event.name, text, severity=severity, remedy=remedy, detail=event.tail)
        self._groups[event.name] = group.fingerprint
        self._projection.activity("incident", text, severity)

    def _group_of(self, incident: Incident) -> str:
        """Of the errors; an end by a limit has not been told yet, because it is no failure of the process."""
        if incident.kind is not IncidentKind.LIMIT or incident.state == ProcessState.FATAL:
            return self._groups.get(incident.process, "")
        text = f"{incident.process} was stopped and started: {incident.reason}"
        self._projection.activity("incident", text, Severity.WARNING)
        return self._errors.record(
            incident.process, text, severity=Severity.WARNING, remedy=incident.remedy
        ).fingerprint

    def _on_order(self, event: OrderEvent) -> None:
        self._projection.order_news(event.order)
        if not event.order.is_open:
            self.on_order_end(event.order.sleeve, event.order.symbol)

    def _on_risk(self, event: RiskEvent) -> None:
        text = f"{event.sleeve}: order in {event.symbol} blocked by {event.rule}: {event.message}"
        self._errors.record(event.sleeve, text, severity=event.severity, category="trading")

    def _on_system(self, event: SystemEvent) -> None:
        if event.component == "trading" and event.state != "alert":
            self._projection.trading_state(TradingState(event.state), event.message)
        text = event.message
        if event.state != "alert":
            text = f"{event.component.capitalize()} is {event.state}. {event.message}".strip()
        self._projection.activity("alert", text, event.severity)
        if event.severity is not Severity.INFO:
            self._errors.record(event.component, text, severity=event.severity, category="trading", remedy=event.remedy)
