"""What a run refuses before it begins: assumptions that cannot be, and targets that break the strategy's contract."""

from __future__ import annotations

import math

import numpy as np

from engine.backtest.result import BacktestSpec
from engine.domain.errors import ConfigurationError, StrategyError
from engine.strategies.base import Bars, FloatArray, Strategy

BOUNDS = {
    "capital": (0.01, 1e12),
    "commission_per_share": (0.0, 1e6),
    "commission_percent": (0.0, 100.0),
    "slippage_bps": (0.0, 5_000.0),
    "participation": (0.0, 1.0),
}


def check_spec(spec: BacktestSpec) -> None:
    """Raises ConfigurationError naming the assumption and what would do."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(spec, name)
        if not (math.isfinite(value) and least <= value <= most):
            raise ConfigurationError(
                f"The {name.replace('_', ' ')} cannot be {value:g}.", f"Choose between {least:g} and {most:,.12g}."
            )


def checked_weight(strategy: Strategy, bars: Bars) -> FloatArray:
    """One weight for each bar. Raises StrategyError naming the first bar whose weight is none."""
    weight = strategy.targets(bars).weight
    if len(weight) != len(bars):
        raise StrategyError(
            f"{strategy.name} gave {len(weight)} targets for {len(bars)} bars.", "A strategy gives one for each bar."
        )
    wrong = np.flatnonzero(~(np.abs(weight) <= 1.0))  # NaN compares false
    if len(wrong):
        raise StrategyError(
            f"{strategy.name} wants a weight of {weight[wrong[0]]:g} at bar {wrong[0] + 1}.",
            "A weight lies between -1 and 1.",
        )
    return weight
