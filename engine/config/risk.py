"""Limits on every order."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field, model_validator

from engine.config.names import Symbols
from engine.config.section import Section


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
    restricted: Symbols = Field(
        default_factory=list, max_length=10_000, description="symbols in which nothing may be opened or added to"
    )
    allowed: Symbols = Field(
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
