"""The account of a backtest: cash, position and the round trips that fills make. Money is Decimal."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.backtest.result import BacktestTrade
from engine.domain.orders import Side
from engine.exchange.orders import Update

ZERO = Decimal(0)


class _Trip(msgspec.Struct):
    """What has been entered and left again since the position was last flat."""

    opened_at: int
    opened_bar: int
    sign: int
    quantity: Decimal = ZERO
    """Entered in all, not what is left."""
    entered: Decimal = ZERO
    """Dollars at entry; `left` are those at exit."""
    left: Decimal = ZERO
    fees: Decimal = ZERO


class Account:
    """`cash` and `quantity` (negative when short) are what the fills made of the capital, exactly."""

    def __init__(self, capital: Decimal) -> None:
        self.cash = capital
        self.quantity = ZERO
        self.fees = ZERO
        self.traded = ZERO
        """Dollars bought and sold."""
        self.trades: list[BacktestTrade] = []
        self._trip: _Trip | None = None

    def take(self, fill: Update, bar: int) -> None:
        """`bar` is the number of the bar that filled it. A fill through zero ends one trip and begins another."""
        signed = fill.quantity if fill.order.side is Side.BUY else -fill.quantity
        self.cash -= signed * fill.price + fill.fee
        self.fees += fill.fee
        self.traded += fill.quantity * fill.price
        closing = min(abs(self.quantity), fill.quantity) if self.quantity * signed < 0 else ZERO
        self.quantity += signed
        if closing and self._trip is not None:
            self._leave(self._trip, fill, closing, bar)
        if opening := fill.quantity - closing:
            self._enter(fill, opening, bar)

    def _enter(self, fill: Update, quantity: Decimal, bar: int) -> None:
        if self._trip is None:
            self._trip = _Trip(fill.timestamp, bar, 1 if fill.order.side is Side.BUY else -1)
        self._trip.quantity += quantity
        self._trip.entered += quantity * fill.price
        self._trip.fees += fill.fee * quantity / fill.quantity

    def _leave(self, trip: _Trip, fill: Update, quantity: Decimal, bar: int) -> None:
        trip.left += quantity * fill.price
        trip.fees += fill.fee * quantity / fill.quantity
        if self.quantity * trip.sign <= 0:
            self.trades.append(_trade(trip, fill.timestamp, bar))
            self._trip = None


def _trade(trip: _Trip, closed_at: int, bar: int) -> BacktestTrade:
    pnl = (trip.left - trip.entered) * trip.sign - trip.fees
    return BacktestTrade(
        opened_at=trip.opened_at,
        closed_at=closed_at,
        side="long" if trip.sign > 0 else "short",
        quantity=float(trip.quantity),
        entry_price=float(trip.entered / trip.quantity),
        exit_price=float(trip.left / trip.quantity),
        pnl=float(pnl),
        return_pct=float(pnl / trip.entered * 100),
        bars_held=bar - trip.opened_bar,
        fees=float(trip.fees),
    )
