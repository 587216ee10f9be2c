"""What a run was worth, in the usual figures. Shares, not percent; every figure is finite for every run.

Annualised by the data's own frequency: bars a year = bars / years covered, at least one day. Sharpe (1994) and Sortino
& van der Meer (1991) without a risk-free rate; Calmar = CAGR / |maximum drawdown| (Young, 1991); profit factor = gains /
losses of the round trips. Where a ratio's denominator is zero the figure is 0.
"""

from __future__ import annotations

import math

import numpy as np

from engine.backtest.book import Account
from engine.domain.market import NANOSECONDS
from engine.strategies.base import FloatArray, IntArray

YEAR = 365.25 * 86_400
DAY = 86_400.0
MOST = 1e12


def measure(
    timestamps: IntArray, equity: FloatArray, benchmark: FloatArray, position: FloatArray, account: Account
) -> dict[str, float]:
    wins = [trade.pnl for trade in account.trades if trade.pnl > 0]
    losses = [-trade.pnl for trade in account.trades if trade.pnl < 0]
    curve = curve_figures(timestamps, equity)
    figures = {
        "total_return": curve.pop("total_return"),
        "benchmark_return": float(benchmark[-1] / benchmark[0] - 1),
        **curve,
        "trades": float(len(account.trades)),
        "win_rate": _ratio(len(wins), len(account.trades)),
        "profit_factor": _ratio(sum(wins), sum(losses)),
        "average_trade": _ratio(sum(wins) - sum(losses), len(account.trades)),
        "exposure": float(np.mean(position != 0)),
        "turnover": _ratio(float(account.traded), float(np.mean(equity))),
        "fees": float(account.fees),
        "final_equity": float(equity[-1]),
    }
    return {name: _finite(value) for name, value in figures.items()}


def curve_figures(timestamps: IntArray, equity: FloatArray) -> dict[str, float]:
    """The figures that the curve alone gives, of a strategy or of its benchmark. Arrays of n >= 1."""
    returns = np.diff(equity) / np.where(equity[:-1] > 0, equity[:-1], np.inf)
    years = max((int(timestamps[-1]) - int(timestamps[0])) / NANOSECONDS, DAY) / YEAR
    yearly = math.sqrt(len(returns) / years)
    growth = float(equity[-1] / equity[0]) if equity[0] > 0 else 0.0
    lowest = float(np.min(drawdown(equity)))
    cagr = _power(growth, 1 / years) - 1
    mean = float(np.mean(returns)) if len(returns) else 0.0
    figures = {
        "total_return": growth - 1,
        "cagr": cagr,
        "volatility": _deviation(returns) * yearly,
        "sharpe": _ratio(mean, _deviation(returns)) * yearly,
        "sortino": _ratio(mean, _downside(returns)) * yearly,
        "calmar": _ratio(cagr, -lowest),
        "max_drawdown": lowest,
        "final_equity": float(equity[-1]),
    }
    return {name: _finite(value) for name, value in figures.items()}


def drawdown(equity: FloatArray) -> FloatArray:
    """Share below the running peak, 0 or negative; float64[n]."""
    peak = np.maximum.accumulate(equity)
    return np.divide(equity, peak, out=np.ones(len(equity)), where=peak > 0) - 1


def _deviation(returns: FloatArray) -> float:
    """Of the sample."""
    return float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0


def _downside(returns: FloatArray) -> float:
    """Root of the mean square of the losses, over all returns."""
    return float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2))) if len(returns) else 0.0


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 1e-15 else 0.0


def _power(base: float, exponent: float) -> float:
    """Bounded: a good day is no reason for a figure with hundreds of digits."""
    if base <= 0:
        return 0.0
    return math.exp(min(math.log(base) * exponent, math.log(MOST)))


def _finite(value: float) -> float:
    return min(max(value, -MOST), MOST) if math.isfinite(value) else 0.0
