"""Run a strategy on history: its targets at once, its orders bar by bar.

The targets of all bars are computed at once, which the prefix property makes honest. A target that changes at a bar's
close becomes orders that meet the *next* bar: market orders at its open, with slippage, commission and a share of its
volume; what a bar does not fill goes on to the one after.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.backtest.checks import check_spec, checked_weight
from engine.backtest.data import read_bars
from engine.backtest.metrics import drawdown, measure
from engine.backtest.result import BacktestResult, BacktestSpec, Progress
from engine.backtest.simulation import OnProgress, Simulation
from engine.domain.errors import DataError
from engine.strategies.base import Bars
from engine.strategies.catalogue import build, catalogue


def run(spec: BacktestSpec, on_progress: OnProgress, run_id: str, created_at: int) -> BacktestResult:
    """`created_at` in int nanoseconds UTC. What `on_progress` raises ends it.

    Raises DataError, ConfigurationError, and StrategyError for targets that break the strategy's contract.
    """
    check_spec(spec)
    strategy = build(spec.strategy, spec.parameters)
    on_progress(Progress(done=0.0, stage="reading data"))
    bars = read_bars(Path(spec.path), spec.start, spec.end, spec.timeframe)
    if len(bars) <= strategy.warmup:
        raise DataError(
            f"{len(bars)} bars are too few: {spec.strategy} needs more than {strategy.warmup} to begin.",
            "Choose more days or shorter bars.",
        )
    on_progress(Progress(done=0.05, stage="asking the strategy"))
    weight = checked_weight(strategy, bars)
    simulation = Simulation(spec, bars, weight if spec.allow_short else np.maximum(weight, 0.0))
    simulation.go(on_progress)
    on_progress(Progress(done=0.97, stage="measuring"))
    return _result(spec, bars, simulation, run_id, created_at)


def _result(spec: BacktestSpec, bars: Bars, simulation: Simulation, run_id: str, created_at: int) -> BacktestResult:
    equity, position = simulation.curves()
    benchmark = spec.capital * bars.close / bars.close[0]
    title = next(entry.title for entry in catalogue() if entry.name == spec.strategy)
    return BacktestResult(
        run_id=run_id,
        spec=spec,
        created_at=created_at,
        title=f"{title} on {spec.symbol}",
        timestamps=bars.timestamp.tolist(),
        equity=equity.tolist(),
        benchmark=benchmark.tolist(),
        drawdown=drawdown(equity).tolist(),
        position=position.tolist(),
        close=bars.close.tolist(),
        trades=simulation.account.trades,
        metrics=measure(bars.timestamp, equity, benchmark, position, simulation.account),
        warnings=simulation.warnings(equity, position),
    )
