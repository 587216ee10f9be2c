"""How an exchange is set up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from engine.domain.errors import ConfigurationError
from engine.exchange.assets import DEFAULT_SYMBOLS
from engine.exchange.prices.synthetic import RECENT

MAX_SPEED = 100_000
_MOST = 1_000_000_000
_RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "seed": (0, _MOST),
    "recent_minutes": (0, 1_440),
    "spread": (0.1, 100),
    "jumps_per_day": (0, 10_000),
    "revisions_per_hour": (0, 1_000),
    "partial_fills": (0, 1),
    "latency": (0, 60),
    "rate_limit": (0, _MOST),
    "symbol_limit": (0, _MOST),
    "connection_limit": (0, _MOST),
}


@dataclass(frozen=True, kw_only=True)
class ExchangeOptions:
    """`port` 0 takes a free one. Limits of 0 are off."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    venue: int = 0
    """Its number among venues that stand side by side, which have the same mids and quotes of their own."""
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    """For a replay: those to take from the recording; the default takes every one it has."""
    replay: Path | None = None
    day: str | None = None
    """ISO date of the recording; None for its first one."""
    start_at: str = "09:30"
    """New York time at which a replay opens its doors; what was before is history."""
    loop: bool = False
    """Play the recording again when it has ended, each time as the next weekday."""
    speed: float = 1.0
    recent_minutes: int = RECENT
    """How long a simulated tape has run at the start: single trades and quotes go back so far, bars a month."""
    state: Path | None = None
    """Folder that keeps accounts and orders from one run to the next; None keeps them in memory."""
    keys: Mapping[str, str] | None = None
    """Key id to secret; None takes any pair and gives each an account of its own."""
    calendar: Literal["24h", "real"] = "24h"
    """24h trades at any hour; real has New York's sessions, holidays and half days, and their auctions."""
    spread: float = 1.0
    """Quoted spreads of a simulation as a multiple of the usual ones."""
    jumps_per_day: float = 1.0
    """How often a symbol of a simulation jumps in 24 hours; a large jump pauses a stock for five minutes."""
    revisions_per_hour: float = 0.5
    """Late prints, corrections and cancellations, of each so many, for a stock of a simulation in an hour."""
    partial_fills: float = 0.1
    """Share of the fills that are partial, as on Alpaca's paper venue."""
    fills: Literal["alpaca", "realistic"] = "alpaca"
    """As Alpaca's paper venue fills, or with delay, queue, depth and impact as a real market would."""
    latency: float = 0.02
    """Seconds between an order and its place in the book; for realistic fills."""
    fees: Literal["none", "regulatory"] = "none"
    """What selling stocks costs: nothing, as on Alpaca's paper venue, or what live accounts are passed on."""
    sec_fee_rate: Decimal = Decimal("0.0000278")
    """Dollars a dollar sold. 27.80 a million is the last rate above zero that Alpaca names on
    https://alpaca.markets/support/regulatory-fees; from 2025-05-14 the SEC charged nothing."""
    taf_rate: Decimal = Decimal("0.000166")
    """FINRA's trading activity fee, dollars a share sold; same page."""
    taf_cap: Decimal = Decimal("8.30")
    """Its most for one fill."""
    crypto_fee_bps: Decimal = Decimal(25)
    """Basis points of what a crypto trade brings in, kept in coins or in dollars: Alpaca's first tier, paper or live."""
    not_shortable: tuple[str, ...] = ()
    hard_to_borrow: tuple[str, ...] = ()
    """Symbols that cannot be sold short, beside those that the exchange has decided on."""
    rate_limit: int = 0
    """REST requests a minute and key."""
    sip: bool = True
    """Whether the keys may use the SIP feed; without it, code 409 on its stream and 403 over REST."""
    symbol_limit: int = 0
    """Symbols in one data connection, code 405."""
    connection_limit: int = 0
    """Data connections to one end point and key, code 406."""

    def __post_init__(self) -> None:
        """Raises ConfigurationError."""
        for name, (smallest, largest) in _RANGES.items():
            self._check(name, smallest, largest)
        self._check_speed()
        self._check_fees()
        if self.loop and self.replay is None:
            raise ConfigurationError("A simulation has no end to begin again at.", "Loop a recording: --replay DIR.")
        if not self.symbols:
            raise ConfigurationError("The exchange has no symbols.", "Name at least one, such as SPY.")
        object.__setattr__(self, "symbols", tuple(dict.fromkeys(self.symbols)))

    def _check(self, name: str, smallest: float, largest: float) -> None:
        value = getattr(self, name)
        if not smallest <= value <= largest:
            words = name.replace("_", " ")
            raise ConfigurationError(f"{words} cannot be {value}.", f"Choose from {smallest} to {largest}.")

    def _check_speed(self) -> None:
        if not math.isfinite(self.speed) or not 0 < self.speed <= MAX_SPEED:
            raise ConfigurationError(f"{self.speed} is not a speed.", f"Choose one above 0 and at most {MAX_SPEED}.")

    def _check_fees(self) -> None:
        rates = (self.sec_fee_rate, self.taf_rate, self.taf_cap, self.crypto_fee_bps)
        if (
            not all(rate.is_finite() and rate >= 0 for rate in rates)
            or self.sec_fee_rate > 1
            or self.crypto_fee_bps >= 10_000
        ):
            raise ConfigurationError("These fees make no sense.", "Choose rates from 0, and less than what is traded.")
