"""The parts of the engine that live from its making to its end; what trades is made later, when the venue is known."""

from __future__ import annotations

from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.config.settings import Settings
from engine.config.trading import EngineSection
from engine.domain.errors import PaddockError
from engine.domain.events import Priority, Severity, SystemEvent
from engine.installation import Installation
from engine.observability.errors import ErrorBook
from engine.orchestrator.backtests import BacktestDesk
from engine.orchestrator.backups import BackupDesk
from engine.orchestrator.capacity import CapacityDesk
from engine.orchestrator.components import Component, Components, RecoveryLimits
from engine.orchestrator.dead_letters import DeadLetterDesk
from engine.orchestrator.exchange_faults import ExchangeFaults
from engine.orchestrator.feeds import Feeds
from engine.orchestrator.hub import HubNews, sharing
from engine.orchestrator.incidents import IncidentDesk
from engine.orchestrator.keeper import Keeper
from engine.orchestrator.market import HistoryDesk, MarketMemory
from engine.orchestrator.plan import Venue, further_feed, recorded_in, scaling_limits
from engine.orchestrator.projection import Projection
from engine.orchestrator.router import Router
from engine.orchestrator.schedule import Schedule
from engine.orchestrator.watch_list import WatchList
from engine.processes.registry import ChildRegistry
from engine.processes.supervisor import Supervisor
from engine.streams.address import private_hub_address
from engine.streams.transport import open_hub
from engine.views import Views

NAME = "engine"


class Parts:
    def __init__(self, settings: Settings, installation: Installation, clock: Clock) -> None:
        self.settings = settings
        self.installation = installation
        self.clock = clock
        self.views = Views()
        self.views.summary.environment = settings.environment.value
        self.ids = IdFactory(clock)
        self.venue = Venue(settings)
        self.faults = ExchangeFaults(lambda: self.venue.url, self.views.summary)
        self.market = MarketMemory(self.views.quotes, clock)
        self.hub = private_hub_address(installation.run, sharing(settings, installation.folder))
        self.transport = open_hub(self.hub, NAME, clock, reads_in_thread=True)
        self.transport.on_change = HubNews(self.views.summary, self.tell)
        self.history = HistoryDesk(NAME, self.transport.publish, self.ids)
        self.errors = ErrorBook(self.views.errors, clock)
        self.projection = Projection(self.views, clock, settings)
        self.router = Router(self.projection, self.errors, self.market, self.history)
        self.letters = DeadLetterDesk(installation.dead_letters, self.views.dead_letters, clock)
        self.bus = Bus(self.router.handler_failed, on_dead=self.letters.take, monotonic=clock.monotonic)
        self.incidents = IncidentDesk(installation.incidents, self.views.incidents, clock)
        self.router.on_incident = self.incidents.take
        self.supervisor = Supervisor(
            self.views.processes,
            clock,
            log_folder=installation.logs,
            on_event=self.router.process,
            registry=ChildRegistry(installation.children),
        )
        limits, database = scaling_limits(settings), recorded_in(settings, installation)
        self.capacity = CapacityDesk(settings, limits, database, self.views, clock)
        traded = {symbol for bot in settings.active_bots for symbol in bot.symbols}
        self.watch_list = WatchList(installation.watch_list, settings.symbols, traded)
        self.feeds = Feeds(
            self.watch_list.symbols,
            limits,
            self.capacity,
            self.supervisor,
            self.market,
            self.views,
            self.transport.publish,
            lambda name, share: further_feed(name, settings, installation, self.hub, self.venue, share),
            clock,
            settings.exchange.speed if self.venue.is_local else 1.0,
        )
        self.backtests = BacktestDesk(installation.backtests, clock, self.ids, self.router.process)
        self.backups = BackupDesk(settings, installation.backups, self.views.health, clock, self.tell)
        self.components = Components(clock, _limits(settings.engine), self.router.component_failed, self._is_back)
        self.keeper = Keeper(self.components, self.failed)
        self.schedule = Schedule(clock)

    def failed(self, error: PaddockError) -> None:
        self.errors.record(
            NAME, error.message, severity=Severity.CRITICAL, category=error.category, remedy=error.remedy
        )

    def tell(self, component: str, message: str, remedy: str, severity: Severity) -> None:
        """An alert."""
        self.publish(component, "alert", message, remedy, severity)

    def publish(self, component: str, state: str, message: str, remedy: str, severity: Severity) -> None:
        event = SystemEvent(
            event_id=self.ids.ulid(),
            timestamp=self.clock.now(),
            component=component,
            state=state,
            message=message,
            remedy=remedy,
            severity=severity,
        )
        self.bus.publish(event, Priority.HIGH)

    def _is_back(self, component: Component) -> None:
        if not component.is_process:
            self.tell(component.name, f"The {component.name} is back.", "", Severity.INFO)


def _limits(section: EngineSection) -> RecoveryLimits:
    return RecoveryLimits(
        attempts=section.recovery_attempts,
        first_pause=section.recovery_first_pause_s,
        longest_pause=section.recovery_longest_pause_s,
    )
