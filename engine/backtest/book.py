"""The account of a backtest: cash, position and the round trips that fills make. Money is Decimal."""

from __future__ import annotations

from decimal import Decimal

from engine.backtest.result import BacktestTrade
from engine.domain.orders import Side
from engine.exchange.orders import Update

ZERO = Decimal(0)


class Account:
    def __init__(self, capital: Decimal) -> None:
        self.cash = capital
        self.quantity = ZERO
        self.fees = ZERO
        self.traded = ZERO
        """Dollars bought and sold."""
        self.trades: list[BacktestTrade] = []
        self._opened_at = 0
        self._opened_bar = 0
        self._cost = ZERO
        self._entered = ZERO
        self._trip_fees = ZERO

    def take(self, fill: Update, bar: int) -> None:
        """`bar` is the number of the bar that filled it."""
        signed = fill.quantity if fill.order.side is Side.BUY else -fill.quantity
        self.cash -= signed * fill.price + fill.fee
        self.fees += fill.fee
        self.traded += fill.quantity * fill.price
        closing = min(abs(self.quantity), abs(signed)) if self.quantity * signed < 0 else ZERO
        if closing:
            self._close(fill, closing, fill.fee * closing / fill.quantity, bar)
        opening = abs(signed) - closing
        if opening:
            self._open(fill, opening, fill.fee * opening / fill.quantity, bar)
        self.quantity += signed

    def _open(self, fill: Update, quantity: Decimal, fee: Decimal, bar: int) -> None:
        if not self._entered:
            self._opened_at, self._opened_bar = fill.timestamp, bar
        self._entered += quantity
        self._cost += quantity * fill.price
        self._trip_fees += fee

    def _close(self, fill: Update, quantity: Decimal, fee: Decimal, bar: int) -> None:
        """A part of a position that is closed is a round trip of its own, at the average entry."""
        entry = self._cost / self._entered
        entry_fees = self._trip_fees * quantity / self._entered
        sign = 1 if self.quantity > 0 else -1
        fees = entry_fees + fee
        pnl = (fill.price - entry) * quantity * sign - fees
        self.trades.append(
            BacktestTrade(
                opened_at=self._opened_at,
                closed_at=fill.timestamp,
                side="long" if sign > 0 else "short",
                quantity=float(quantity),
                entry_price=float(entry),
                exit_price=float(fill.price),
                pnl=float(pnl),
                return_pct=float(pnl / (entry * quantity) * 100),
                bars_held=bar - self._opened_bar,
                fees=float(fees),
            )
        )
        self._entered -= quantity
        self._cost -= entry * quantity
        self._trip_fees -= entry_fees
