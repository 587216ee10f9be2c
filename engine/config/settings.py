"""The tree of settings with its defaults: what every part of the product can be told.

Each field's description is what `paddock config show` prints beside it. Units are in the name or the description.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.config.alpaca import AlpacaSection, Environment, KeyPair
from engine.config.backup import BackupSection
from engine.config.bots import DEMO_SYMBOLS, BotSection, demo_bots
from engine.config.exchange import ExchangeSection
from engine.config.hub import HubSection
from engine.config.market import MarketSection
from engine.config.names import Symbols
from engine.config.processes import ProcessSection, ScalingSection
from engine.config.risk import RiskSection
from engine.config.section import Section
from engine.config.storage import LakeSection, MarketDatabaseSection
from engine.config.trading import EngineSection, OrdersSection, PortfolioSection
from engine.domain.orders import MANUAL_SLEEVE
from engine.domain.shown_times import Times


class ConsoleSection(Section):
    theme: Literal["dark", "light"] | None = Field(None, description="empty keeps the window's last choice")
    times: Times | None = Field(None, description="exchange (New York), machine or utc; empty keeps the last choice")
    refresh_hz: int = Field(10, ge=2, le=60)


class Settings(BaseSettings):
    """Everything. Precedence: command line, environment (PADDOCK_…, nested by two underscores), file, defaults."""

    model_config = SettingsConfigDict(
        env_prefix="PADDOCK_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    environment: Environment = Environment.DEMO
    data: Path = Field(description="folder for all state of this installation")
    symbols: Symbols = Field(
        default_factory=lambda: list(DEMO_SYMBOLS), min_length=1, max_length=500, description="what the feed carries"
    )
    alpaca: AlpacaSection = AlpacaSection()
    market: MarketSection = MarketSection()
    exchange: ExchangeSection = ExchangeSection()
    risk: RiskSection = RiskSection()
    orders: OrdersSection = OrdersSection()
    portfolio: PortfolioSection = PortfolioSection()
    lake: LakeSection = LakeSection()
    engine: EngineSection = EngineSection()
    market_database: MarketDatabaseSection = MarketDatabaseSection()
    scaling: ScalingSection = ScalingSection()
    backup: BackupSection = BackupSection()
    console: ConsoleSection = ConsoleSection()
    hub: HubSection = HubSection()
    processes: dict[str, ProcessSection] = Field(
        default_factory=dict, description="limits of single processes, by name, such as [processes.feed]"
    )
    bots: list[BotSection] = Field(
        default_factory=list,
        max_length=100,
        description="when none is named, the demo runs two and paper and live none",
    )

    @model_validator(mode="after")
    def _check(self) -> Settings:
        names = [bot.name for bot in self.bots]
        doubled = {name for name in names if names.count(name) > 1 or name == MANUAL_SLEEVE}
        if doubled:
            raise ValueError(f"bots need names of their own: {', '.join(sorted(doubled))}")
        sleeves = [MANUAL_SLEEVE, *(bot.name for bot in self.active_bots)]
        if self.orders.adopt_into not in sleeves:
            raise ValueError(f"orders.adopt_into is {self.orders.adopt_into!r}; the sleeves are {', '.join(sleeves)}")
        if self.exchange.replay is not None and self.environment is not Environment.DEMO:
            raise ValueError(f"a replay runs on the built-in exchange; environment is {self.environment.value}")
        if "parquet" in self.market.sources and self.environment is not Environment.DEMO:
            raise ValueError("prices of the past are for the demo: orders elsewhere meet those of today")
        if "redis" in self.market.sources and not self.hub.redis.host:
            raise ValueError("market.sources has redis, but [hub.redis] names no host")
        if "kafka" in self.market.sources and not self.hub.kafka.servers:
            raise ValueError("market.sources has kafka, but [hub.kafka] names no servers")
        return self

    @property
    def active_bots(self) -> list[BotSection]:
        """The bots that run: those configured, or in the demo the two that show what bots do."""
        if self.bots or self.environment is not Environment.DEMO:
            return [bot for bot in self.bots if bot.enabled]
        return demo_bots(self.symbols)

    @property
    def keys(self) -> KeyPair:
        """The key pair of the environment; the demo needs none."""
        if self.environment is Environment.LIVE:
            return self.alpaca.live
        return self.alpaca.paper if self.environment is Environment.PAPER else KeyPair()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The file arrives through `load_settings`, beneath the environment."""
        from engine.config.load import FileSource

        return init_settings, env_settings, FileSource(settings_cls)
