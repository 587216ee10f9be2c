"""The tree of settings with its defaults: what every part of the product can be told.

Each field's description is what `paddock config show` prints beside it. Units are in the name or the description.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.config.backup import BackupSection
from engine.config.hub import HubSection
from engine.config.market import MarketSection
from engine.config.section import Section
from engine.domain.errors import ConfigurationError
from engine.domain.market import Timeframe
from engine.domain.orders import MANUAL_SLEEVE
from engine.domain.portfolio import CostBasis
from engine.domain.shown_times import Times

SYMBOL = r"^[A-Z][A-Z0-9.]{0,9}(/[A-Z]{3,5})?$"
BOT_NAME = r"^[a-z][a-z0-9-]{0,14}$"
"""With "paper-" before and an id of 26 characters after it, an order's id has the 48 characters that are allowed."""

Symbol = Annotated[str, Field(pattern=SYMBOL)]


class Environment(StrEnum):
    """Where orders go: the built-in exchange, Alpaca's paper account, or real money."""

    DEMO = "demo"
    PAPER = "paper"
    LIVE = "live"


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _lake_url(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if found and (scheme != "s3" or not re.match(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$)", rest)):
        raise ValueError("a folder, or s3://BUCKET/PREFIX with the bucket in small letters")
    return str(Path(url).expanduser().absolute()) if url and not found else url


class KeyPair(Section):
    key: str = Field("", description="API key id, from the Alpaca dashboard")
    secret: SecretStr = Field(SecretStr(""), description="API secret key; better in the environment than in a file")


class AccountSection(KeyPair):
    url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="address of a server that speaks Alpaca's protocols, such as `paddock exchange`; empty for Alpaca",
    )


class AlpacaSection(Section):
    paper: AccountSection = Field(AccountSection(), description="keys of the paper account")
    live: KeyPair = Field(KeyPair(), description="keys of the live account")
    feed: Literal["iex", "sip"] = Field("iex", description="stock data: iex is free, sip needs a subscription")
    sessions: Literal["all", "extended", "regular"] = Field(
        "all",
        description="prints of stocks that make candles: all, those from 4:00 to 20:00, or of the regular session",
    )


class ExchangeSection(Section):
    """The built-in exchange, used in the demo."""

    port: int = Field(0, ge=0, le=65535, description="0 takes a free port")
    seed: int = Field(1, ge=0, description="the same seed gives the same prices")
    speed: float = Field(1.0, gt=0, le=1000, description="how much faster than real time a replay runs")
    replay: Path | None = Field(None, description="folder with recorded Parquet data; empty for synthetic prices")
    keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="key id = secret that `paddock exchange` takes; empty for any pair"
    )
    day: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="day of the recording, YYYY-MM-DD")


class BotSection(Section):
    name: str = Field(pattern=BOT_NAME, description="also the name of its process and of its sleeve")
    strategy: str = Field(description="such as sma-cross or rsi-reversion")
    symbols: Annotated[list[Symbol], AfterValidator(_unique)] = Field(min_length=1, max_length=200)
    timeframe: Timeframe | None = Field(None, description="length of its bars; empty for 1s, or 1m in a fast replay")
    capital: Decimal = Field(Decimal(10_000), gt=0, description="dollars that its targets are shares of")
    parameters: dict[str, float | int | bool | str] = Field(default_factory=dict)
    allow_short: bool = False
    enabled: bool = True


class RiskSection(Section):
    """Hard limits on every order; design: shared/design/orders.md. Shares are of equity, 0 to 1."""

    max_order_quantity: Decimal = Field(Decimal(500), gt=0, description="shares or coins in one order")
    max_order_notional: Decimal = Field(Decimal(10_000), gt=0, description="dollars in one order")
    max_order_share: float = Field(0.05, gt=0, le=1, description="share of equity in one order")
    price_collar: float = Field(0.03, gt=0, le=1, description="distance of a price from a fresh quote")
    price_collar_extended: float = Field(0.05, gt=0, le=1, description="the same outside regular hours")
    max_quote_age_s: float = Field(5.0, gt=0, description="an older quote blocks an order")
    duplicate_window_s: float = Field(10.0, ge=0, description="the same order again within it is blocked")
    repeated_fills: int = Field(5, ge=1, description="fills in one direction that pause a strategy")
    repeated_window_s: float = Field(60.0, gt=0)
    orders_per_second: int = Field(2, ge=1, le=1_000)
    orders_per_minute: int = Field(60, ge=1, le=10_000)
    orders_per_day: int = Field(500, ge=1, le=50_000)
    orders_per_day_and_sleeve: int = Field(100, ge=1, le=50_000)
    rate_kept_for_cancels: float = Field(
        0.20, ge=0, lt=1, description="share of the venue's request limit that orders leave to cancels and queries"
    )
    max_open_orders: int = Field(50, ge=1)
    max_open_orders_per_symbol: int = Field(10, ge=1)
    max_position_share: float = Field(
        0.10, gt=0, le=10, description="of equity, in one symbol, pending orders included"
    )
    max_gross_exposure: float = Field(1.0, gt=0, le=10, description="of equity, pending orders included")
    daily_loss_reducing: float = Field(0.03, gt=0, le=1, description="from here on only orders that reduce pass")
    daily_loss_halted: float = Field(0.05, gt=0, le=1, description="from here on only cancels pass")
    drawdown_alert: float = Field(0.05, gt=0, le=1, description="fall from the peak of equity that is told")
    max_drawdown: float = Field(0.10, gt=0, le=1, description="fall from the peak at which only cancels pass")
    signal_life_s: float = Field(30.0, gt=0, le=3600, description="a bot's signal is not acted on when it is older")
    short_sales: bool = Field(True, description="whether anything may be sold short")
    hard_to_borrow: bool = Field(False, description="whether shares that are hard to borrow may be sold short")
    restricted: Annotated[list[Symbol], AfterValidator(_unique)] = Field(
        default_factory=list, max_length=10_000, description="symbols in which nothing may be opened or added to"
    )
    allowed: Annotated[list[Symbol], AfterValidator(_unique)] = Field(
        default_factory=list, max_length=10_000, description="with real money only these may be opened; empty for all"
    )

    @model_validator(mode="after")
    def _check(self) -> RiskSection:
        for lower, upper in (
            ("daily_loss_reducing", "daily_loss_halted"),
            ("drawdown_alert", "max_drawdown"),
            ("max_open_orders_per_symbol", "max_open_orders"),
            ("orders_per_day_and_sleeve", "orders_per_day"),
        ):
            # Only what somebody wrote can contradict: a limit made tighter than another one's default is none.
            chosen, most = getattr(self, lower), getattr(self, upper)
            if chosen > most and chosen != type(self).model_fields[lower].default:
                raise ValueError(f"{lower} ({chosen}) must not be above {upper} ({most})")
        return self


class OrdersSection(Section):
    foreign: Literal["show", "adopt"] = Field(
        "show", description="open orders placed elsewhere: show leaves them alone, adopt takes them into a sleeve"
    )
    adopt_into: str = Field(MANUAL_SLEEVE, pattern=BOT_NAME, description="that sleeve: manual, or a bot's name")


class PortfolioSection(Section):
    cost_basis: CostBasis = Field(
        CostBasis.AVERAGE, description="how realised profit is found: average, as Alpaca reports it, or fifo"
    )


class LakeSection(Section):
    """Bars of years as Parquet files: what `paddock history` writes, and history is read from before the broker is asked."""

    url: Annotated[str, AfterValidator(_lake_url)] = Field(
        "",
        description="folder, or s3://BUCKET/PREFIX; empty for a folder beside the market database",
    )
    endpoint: str = Field(
        "", pattern=r"^(https?://[^/\s]+/?)?$", description="an S3 server such as MinIO; empty for Amazon"
    )
    region: str = Field("", description="of the bucket; empty for us-east-1")
    key: str = Field("", description="access key id; empty takes Amazon's own variables and files")
    secret: SecretStr = Field(SecretStr(""), description="secret access key; better in the environment than in a file")


class EngineSection(Section):
    """What the engine does again and again, and how often it mends a part before it gives it up."""

    risk_check_s: float = Field(30.0, gt=0, description="between two looks at what is held, beside those at each order")
    rebalance_s: float = Field(300.0, gt=0)
    health_check_s: float = Field(30.0, gt=0)
    snapshot_s: float = Field(60.0, gt=0)
    recovery_attempts: int = Field(10, ge=0, description="then the part has failed and trading goes to REDUCING")
    recovery_first_pause_s: float = Field(0.5, gt=0, description="before the first attempt; doubled each time")
    recovery_longest_pause_s: float = Field(15.0, gt=0)


class MarketDatabaseSection(Section):
    """Where market data is recorded, and for how many days; 0 days keep it for ever."""

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://USER:PASSWORD@HOST/DATABASE; empty for a file in the data folder"
    )
    record_raw: bool = Field(True, description="whether messages are kept as they came, beside what they say")
    raw_days: int = Field(3, ge=0, le=36_500, description="stream_messages: messages as they came")
    quote_days: int = Field(90, ge=0, le=36_500, description="normalized_data: quotes, one a second and symbol")
    candle_days: int = Field(0, ge=0, le=36_500, description="realtime_candles")
    indicator_days: int = Field(90, ge=0, le=36_500, description="technical_indicators")
    metric_days: int = Field(30, ge=0, le=36_500, description="system_metrics")
    result_days: int = Field(0, ge=0, le=36_500, description="processing_results: signals")

    @field_validator("url", mode="after")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        # The error must not carry the input: it may be a password in the wrong place.
        from engine.domain.database_url import checked_url

        try:
            return SecretStr(checked_url(url.get_secret_value())) if url.get_secret_value() else url
        except ConfigurationError as error:
            raise ValueError(f"{error.message} {error.remedy}") from None

    @property
    def days(self) -> dict[str, int]:
        """By table."""
        return {
            "stream_messages": self.raw_days,
            "normalized_data": self.quote_days,
            "realtime_candles": self.candle_days,
            "technical_indicators": self.indicator_days,
            "system_metrics": self.metric_days,
            "processing_results": self.result_days,
        }


class ProcessSection(Section):
    """Of one process, by its name: exchange, hub, feed, recorder or a bot's. What is left out keeps its default."""

    autostart: bool | None = Field(None, description="whether it is started with the engine")
    start_seconds: float | None = Field(
        None, ge=0, description="ending by itself this soon after it was ready is a failure"
    )
    ready_timeout: float | None = Field(None, gt=0, description="seconds from its start until it must be ready")
    heartbeat_timeout: float | None = Field(
        None, ge=2, description="seconds without a sign of life until it is replaced"
    )
    progress_timeout: float | None = Field(None, gt=0, description="seconds without progress, while work is expected")
    stop_wait: float | None = Field(
        None, gt=0, le=300, description="seconds that it may take to stop; then it is killed"
    )
    memory_limit_mb: int | None = Field(None, ge=32, description="resident memory at which it is stopped and started")
    cpu_limit: float | None = Field(None, gt=0, description="per cent of one core, for a minute, that do the same")
    restart: Literal["unexpected", "always", "never"] | None = Field(
        None, description="after which ends it is started again"
    )
    restarts: int | None = Field(
        None, ge=0, le=100, description="unexpected ends within a minute before it is given up"
    )


class ScalingSection(Section):
    """How many feed workers share the symbols."""

    least: int = Field(1, ge=1, le=10, description="feed workers that always run")
    most: int | None = Field(
        None,
        ge=1,
        le=10,
        description="empty: 10 in the demo and 1 at Alpaca, which allows an account one connection to each data stream",
    )
    up_above: float = Field(
        0.8, gt=0, le=1, description="share of a core, or of a second's lag, that calls for one more"
    )
    down_below: float = Field(0.3, gt=0, lt=1, description="share that the others would have without the last one")
    cool_down_s: float = Field(30.0, ge=1, le=3600, description="seconds between two changes")
    peak_factor: float = Field(
        2.0, ge=1, le=100, description="without recorded days the peak is taken to be so many times the highest rate"
    )


class ConsoleSection(Section):
    theme: Literal["dark", "light"] | None = Field(None, description="empty keeps the window's last choice")
    times: Times | None = Field(None, description="exchange (New York), machine or utc; empty keeps the last choice")
    refresh_hz: int = Field(10, ge=2, le=60)


def _demo_bots() -> list[BotSection]:
    return [
        BotSection(
            name="sma-cross", strategy="sma-cross", symbols=["SPY", "AAPL", "BAC"], parameters={"fast": 10, "slow": 30}
        ),
        BotSection(name="rsi-reversion", strategy="rsi-reversion", symbols=["IBM", "AIG", "QQQ"]),
    ]


DEMO_CAPITAL = Decimal(4_500)
"""Dollars for each symbol of a demo bot: a market order for all of it stays below the limit of 5 % of equity."""

DEMO_SYMBOLS = ["SPY", "QQQ", "AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "IBM", "BAC", "AIG", "BTC/USD", "ETH/USD"]


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
    symbols: Annotated[list[Symbol], AfterValidator(_unique)] = Field(
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
        known = set(self.symbols)
        chosen = {bot.name: [s for s in bot.symbols if s in known] or self.symbols[:3] for bot in _demo_bots()}
        return [
            bot.model_copy(update={"symbols": chosen[bot.name], "capital": DEMO_CAPITAL * len(chosen[bot.name])})
            for bot in _demo_bots()
        ]

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
