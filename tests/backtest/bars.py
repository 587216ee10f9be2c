"""Files of bars, and a run on one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars

from engine.backtest.result import BacktestResult, BacktestSpec, Progress
from engine.backtest.runner import run

MINUTE = 60 * 10**9
START = 1_700_000_040 * 10**9


def write_bars(path: Path, close: list[float], opening: list[float] | None = None, volume: float = 1e6) -> Path:
    opening = opening or [close[0], *close[:-1]]
    polars.DataFrame(
        {
            "timestamp": [START + i * MINUTE for i in range(len(close))],
            "open": opening,
            "high": [max(a, b) for a, b in zip(opening, close, strict=True)],
            "low": [min(a, b) for a, b in zip(opening, close, strict=True)],
            "close": close,
            "volume": [volume] * len(close),
        }
    ).with_columns(polars.from_epoch("timestamp", time_unit="ns")).write_parquet(path)
    return path


def backtest(path: Path, **changes: Any) -> BacktestResult:
    fields = {
        "strategy": "sma-cross", "symbol": "TEST", "path": str(path), "parameters": {"fast": 1, "slow": 2},
        "capital": 1_000.0, "slippage_bps": 0.0,
    }  # fmt: skip
    seen: list[Progress] = []
    result = run(BacktestSpec(**{**fields, **changes}), seen.append, "run", 1)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    return result


def random_walk(count: int, seed: int = 1) -> list[float]:
    return (100 * np.exp(np.random.default_rng(seed).normal(0, 0.002, count).cumsum())).tolist()
