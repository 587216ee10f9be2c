"""Which child processes run for given settings, and what each is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from engine.broker.address import VenueAddress
from engine.config.alpaca import Environment
from engine.config.bots import BotSection
from engine.config.load import require_keys
from engine.config.settings import Settings
from engine.domain.market import Timeframe
from engine.installation import Installation
from engine.market.history.stores import HistoryStores
from engine.market.sources.choice import SourceChoice
from engine.orchestrator.hub import kafka_address, redis_address, require_kafka_client
from engine.portfolio.targets import SleevePlan
from engine.processes.autoscaler import ScalingLimits
from engine.processes.configured import configured, laid_over
from engine.processes.specification import ProcessSpec
from engine.risk.limits import Limits
from engine.storage.lake.address import LakeAddress
from engine.storage.market.address import MarketAddress, market_address
from engine.streams.address import HubAddress

EXCHANGE, HUB, FEED, RECORDER = "exchange", "hub", "feed", "recorder"
FAST_REPLAY = 10.0
"""From this speed on, seconds of the recording pass too fast to trade on; bots take minutes."""


class Venue:
    """Where orders and data go. The built-in exchange's address is known when it runs, and kept when it restarts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = ""

    @property
    def is_local(self) -> bool:
        return self._settings.environment is Environment.DEMO

    @property
    def port(self) -> int:
        return int(self._url.rpartition(":")[2]) if self._url else self._settings.exchange.port

    def found_at(self, url: str) -> None:
        self._url = url

    @property
    def url(self) -> str:
        """Of the built-in exchange; empty while it is not known."""
        return self._url

    @property
    def address(self) -> VenueAddress:
        if self.is_local:
            return VenueAddress.local(self._url, "demo", "demo")
        return alpaca_address(self._settings)


def alpaca_address(settings: Settings) -> VenueAddress:
    """Of the paper or the live account. Raises ConfigurationError without keys."""
    keys = require_keys(settings)
    secret = keys.secret.get_secret_value()
    live = settings.environment is Environment.LIVE
    if not live and (url := settings.alpaca.paper.url):
        return VenueAddress.local(url, keys.key, secret)
    return VenueAddress.alpaca(keys.key, secret, live=live, feed=settings.alpaca.feed)


def lake_address(settings: Settings, installation: Installation) -> LakeAddress:
    """The lake that is configured, or a folder of the installation."""
    chosen = settings.lake
    return LakeAddress(
        url=chosen.url or str(installation.lake),
        endpoint=chosen.endpoint,
        region=chosen.region,
        key=chosen.key,
        secret=chosen.secret.get_secret_value(),
    )


def recorded_in(settings: Settings, installation: Installation) -> MarketAddress:
    """The market database."""
    return market_address(settings.market_database.url.get_secret_value(), installation.market_database)


def history_stores(settings: Settings, installation: Installation, hub: HubAddress) -> HistoryStores:
    """None for the demo: its prices are made up anew, so what an earlier run recorded is not their past.

    The lake is used once something was downloaded to it, or where one is configured.
    """
    if settings.environment is Environment.DEMO:
        return HistoryStores()
    return HistoryStores(
        scope=hub.sharing.namespace if hub.sharing is not None else "",
        redis=hub.sharing.redis if hub.sharing is not None else None,
        database=recorded_in(settings, installation),
        lake=lake_address(settings, installation) if settings.lake.url or installation.lake.exists() else None,
    )


def timeframe_of(bot: BotSection, settings: Settings) -> Timeframe:
    if bot.timeframe is not None:
        return bot.timeframe
    fast = settings.exchange.replay is not None and settings.exchange.speed >= FAST_REPLAY
    return Timeframe.MINUTE_1 if fast else Timeframe.SECOND_1


def sleeve_plan(bot: BotSection) -> SleevePlan:
    # A change below a fiftieth of a symbol's share of the capital costs more in spread than it corrects.
    least = max(bot.capital / len(bot.symbols) / 50, Decimal(10))
    return SleevePlan(name=bot.name, capital=bot.capital, allow_short=bot.allow_short, minimum_notional=least)


def limits_of(settings: Settings) -> Limits:
    """The demo trades on seconds, so where nothing is configured it may place more orders a day."""
    chosen = settings.risk.model_dump()
    if settings.environment is Environment.DEMO:
        for name, value in (("orders_per_day", 20_000), ("orders_per_day_and_sleeve", 10_000)):
            if name not in settings.risk.model_fields_set:
                chosen[name] = value
    for name in ("restricted", "allowed"):
        chosen[name] = frozenset(chosen[name])
    return Limits(**chosen)


def source_choice(settings: Settings) -> SourceChoice:
    """Raises ConfigurationError when Kafka is named and its client is not installed."""
    market, hub = settings.market, settings.hub
    if "kafka" in market.sources:
        require_kafka_client("[market] sources names kafka")
    return SourceChoice(
        kinds=tuple(market.sources),
        topic=market.topic,
        redis=redis_address(hub) if "redis" in market.sources else None,
        kafka=kafka_address(hub) if "kafka" in market.sources else None,
        recording=str(market.recording.absolute()) if "parquet" in market.sources and market.recording else "",
        speed=market.speed,
    )


def feed_spec(
    name: str,
    settings: Settings,
    installation: Installation,
    hub: HubAddress,
    venue: Venue,
    share: Callable[[str], Mapping[str, int]],
) -> ProcessSpec:
    """`share` gives, whenever a feed starts, its symbols and until when the candles of each have been said."""

    def told() -> dict[str, object]:
        said_until = dict(share(name))
        return {
            "name": name,
            "hub": hub,
            "venue": venue.address,
            "symbols": list(said_until),
            "said_until": said_until,
            "feed": settings.alpaca.feed,
            "sessions": settings.alpaca.sessions,
            "sources": source_choice(settings),
            "history": history_stores(settings, installation, hub),
        }

    return ProcessSpec(
        name=name,
        kind="feed",
        group="market data",
        settings=told,
        depends_on=(EXCHANGE, HUB) if venue.is_local else (HUB,),
        critical=name == FEED,
    )


def further_feed(
    name: str,
    settings: Settings,
    installation: Installation,
    hub: HubAddress,
    venue: Venue,
    share: Callable[[str], Mapping[str, int]],
) -> ProcessSpec:
    """A feed beside the first, under what is configured for that one."""
    return laid_over(feed_spec(name, settings, installation, hub, venue, share), settings.processes.get(FEED))


def scaling_limits(settings: Settings) -> ScalingLimits:
    chosen = settings.scaling
    local = settings.environment is Environment.DEMO
    return ScalingLimits(
        least=chosen.least,
        most=chosen.most or max(10 if local else 1, chosen.least),
        up_above=chosen.up_above,
        down_below=chosen.down_below,
        cool_down=chosen.cool_down_s,
    )


def plan(
    settings: Settings,
    installation: Installation,
    hub: HubAddress,
    venue: Venue,
    share: Callable[[str], Mapping[str, int]],
) -> list[ProcessSpec]:
    """In the order in which the window lists them. `symbols` gives those of a feed."""
    specs = [
        ProcessSpec(name=HUB, kind="hub", group="core", settings=lambda: {"hub": hub}, critical=True),
        feed_spec(FEED, settings, installation, hub, venue, share),
        ProcessSpec(
            name=RECORDER,
            kind="recorder",
            group="storage",
            settings=lambda: {
                "hub": hub,
                "path": str(installation.market_database),
                "url": settings.market_database.url.get_secret_value(),
                "raw": settings.market_database.record_raw,
                "days": settings.market_database.days,
            },
            depends_on=(HUB,),
        ),
    ]
    if venue.is_local:
        exchange = ProcessSpec(
            name=EXCHANGE,
            kind="exchange",
            group="core",
            settings=lambda: _exchange_settings(settings, installation, venue),
            critical=True,
        )
        specs.insert(0, exchange)
    specs += [_bot(bot, settings, hub) for bot in settings.active_bots]
    return configured(specs, settings.processes)


def _exchange_settings(settings: Settings, installation: Installation, venue: Venue) -> dict[str, Any]:
    chosen = settings.exchange
    return {
        "port": venue.port,
        "seed": chosen.seed,
        "symbols": settings.symbols,
        "replay": str(chosen.replay) if chosen.replay else None,
        "day": chosen.day,
        "speed": chosen.speed,
        "state": str(installation.exchange),
    }


def _bot(bot: BotSection, settings: Settings, hub: HubAddress) -> ProcessSpec:
    timeframe = timeframe_of(bot, settings)
    told: dict[str, Any] = {
        "name": bot.name,
        "sleeve": bot.name,
        "strategy": bot.strategy,
        "symbols": bot.symbols,
        "timeframe": timeframe,
        "hub": msgspec.to_builtins(hub),
        "parameters": bot.parameters,
        "allow_short": bot.allow_short,
    }
    return ProcessSpec(name=bot.name, kind="bot", group="bots", settings=lambda: told, depends_on=(HUB,))
