"""The figures of a run as text, beside buy and hold, for the terminal and the report."""

from __future__ import annotations

import msgspec
import numpy as np

from engine.backtest.metrics import curve_figures
from engine.backtest.result import BacktestResult

SHARES = frozenset({"total_return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure"})


class Figure(msgspec.Struct, frozen=True):
    """`benchmark` is empty for what only trading has."""

    name: str
    value: str
    benchmark: str


def compared(result: BacktestResult) -> list[Figure]:
    """`benchmark_return` is left out: it is what stands beside `total_return`."""
    benchmark = curve_figures(np.array(result.timestamps), np.array(result.benchmark))
    return [
        Figure(name.replace("_", " "), _text(name, value), _text(name, benchmark[name]) if name in benchmark else "")
        for name, value in result.metrics.items()
        if name != "benchmark_return"
    ]


def _text(name: str, value: float) -> str:
    if name in SHARES:
        return f"{value:.2%}"
    return f"{value:,.0f}" if name == "trades" else f"{value:,.2f}"
