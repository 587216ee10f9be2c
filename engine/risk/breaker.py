"""Losses and repetitions that stop trading by themselves."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

from engine.domain.events import TradingState
from engine.domain.orders import Fill, Side
from engine.domain.portfolio import Account
from engine.risk.limits import Limits


def state_for(account: Account, peak: Decimal, limits: Limits) -> tuple[TradingState, str]:
    """The least that today's loss and the fall from the peak call for, and why."""
    # Without a close of yesterday there is no loss of today; the fall from the peak counts all the same.
    loss = float((account.last_equity - account.equity) / account.last_equity) if account.last_equity > 0 else 0.0
    fall = float((peak - account.equity) / peak) if peak > 0 else 0.0
    if loss >= limits.daily_loss_halted:
        return TradingState.HALTED, f"day loss {loss:.1%} reached {limits.daily_loss_halted:.0%}"
    if fall >= limits.max_drawdown:
        return TradingState.HALTED, f"equity is {fall:.1%} below its peak; {limits.max_drawdown:.0%} is the limit"
    if loss >= limits.daily_loss_reducing:
        return TradingState.REDUCING, f"day loss {loss:.1%} reached {limits.daily_loss_reducing:.0%}"
    return TradingState.ACTIVE, ""


def drawdown_warning(account: Account, peak: Decimal, limits: Limits) -> str:
    """What to tell of a fall from the peak that is not yet one to stop for; empty when there is nothing to tell."""
    fall = float((peak - account.equity) / peak) if peak > 0 else 0.0
    if not limits.drawdown_alert <= fall < limits.max_drawdown:
        return ""
    return f"Equity is {fall:.1%} below its peak of ${peak:,.2f}; at {limits.max_drawdown:.0%} trading is halted."


class RepetitionWatch:
    """Pauses a sleeve in a symbol when it filled too many orders one way in a short time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fills: dict[tuple[str, str], deque[tuple[float, Side, str]]] = {}
        self._paused: dict[tuple[str, str], float] = {}

    def note(self, fill: Fill, monotonic: float) -> bool:
        """True when this fill brought the pause on."""
        key = (fill.sleeve, fill.symbol)
        seen = self._fills.setdefault(key, deque(maxlen=200))
        seen.append((monotonic, fill.side, fill.client_order_id))
        since = monotonic - self._limits.repeated_window_s
        orders: set[str] = set()
        for at, side, order in reversed(seen):
            if at < since or side is not fill.side:
                break
            orders.add(order)
        if len(orders) < self._limits.repeated_fills or self.paused_until(*key) > monotonic:
            return False
        self._paused[key] = monotonic + self._limits.repeated_window_s
        return True

    def paused_until(self, sleeve: str, symbol: str) -> float:
        return self._paused.get((sleeve, symbol), 0.0)
