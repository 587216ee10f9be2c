"""The hard limits, with the defaults of shared/design/orders.md. Shares are of equity, 0 to 1; money in dollars."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    max_order_quantity: Decimal = Decimal(500)
    max_order_notional: Decimal = Decimal(10_000)
    max_order_share: float = 0.05
    price_collar: float = 0.03
    price_collar_extended: float = 0.05
    max_quote_age_s: float = 5.0
    duplicate_window_s: float = 10.0
    repeated_fills: int = 5
    repeated_window_s: float = 60.0
    orders_per_second: int = 2
    orders_per_minute: int = 60
    orders_per_day: int = 500
    orders_per_day_and_sleeve: int = 100
    rate_kept_for_cancels: float = 0.20
    """Share of the venue's request limit that orders leave to cancels and queries."""
    max_open_orders: int = 50
    max_open_orders_per_symbol: int = 10
    max_position_share: float = 0.10
    max_gross_exposure: float = 1.0
    daily_loss_reducing: float = 0.03
    daily_loss_halted: float = 0.05
    drawdown_alert: float = 0.05
    max_drawdown: float = 0.10
    signal_life_s: float = 30.0
    short_sales: bool = True
    hard_to_borrow: bool = False
    """Whether shares that are hard to borrow may be sold short."""
    restricted: frozenset[str] = frozenset()
    """Symbols in which nothing may be opened or added to."""
    allowed: frozenset[str] = frozenset()
    """With real money only these may be opened or added to; empty = all."""
