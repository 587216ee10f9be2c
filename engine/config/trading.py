"""How the engine trades: orders, books, and its periodic work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.config.names import BOT_NAME
from engine.config.section import Section
from engine.domain.orders import MANUAL_SLEEVE
from engine.domain.portfolio import CostBasis


class OrdersSection(Section):
    foreign: Literal["show", "adopt"] = Field(
        "show", description="open orders placed elsewhere: show leaves them alone, adopt takes them into a sleeve"
    )
    adopt_into: str = Field(MANUAL_SLEEVE, pattern=BOT_NAME, description="that sleeve: manual, or a bot's name")


class PortfolioSection(Section):
    cost_basis: CostBasis = Field(
        CostBasis.AVERAGE, description="how realised profit is found: average, as Alpaca reports it, or fifo"
    )


class EngineSection(Section):
    """What the engine does again and again, and how often it mends a part before it gives it up."""

    risk_check_s: float = Field(30.0, gt=0, description="between two looks at what is held, beside those at each order")
    rebalance_s: float = Field(300.0, gt=0)
    health_check_s: float = Field(30.0, gt=0)
    snapshot_s: float = Field(60.0, gt=0)
    recovery_attempts: int = Field(10, ge=0, description="then the part has failed and trading goes to REDUCING")
    recovery_first_pause_s: float = Field(0.5, gt=0, description="before the first attempt; doubled each time")
    recovery_longest_pause_s: float = Field(15.0, gt=0)
