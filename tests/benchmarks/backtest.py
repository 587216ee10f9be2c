"""`python -m tests.benchmarks.backtest`: the event-driven run beside a plain loop over the same bars in the same run.

The loop recomputes both means at each bar, as an event-driven strategy without a vectorised form has to.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import polars

from engine.backtest.result import BacktestSpec
from engine.backtest.runner import run

BARS = 100_000
FAST, SLOW = 10, 30


def write_bars(path: Path) -> np.ndarray:
    close = 100 * np.exp(np.random.default_rng(1).normal(0, 0.0005, BARS).cumsum())
    opening = np.concatenate([close[:1], close[:-1]])
    polars.DataFrame(
        {
            "timestamp": np.arange(BARS, dtype=np.int64) * 60_000_000_000,
            "open": opening,
            "high": np.maximum(opening, close),
            "low": np.minimum(opening, close),
            "close": close,
            "volume": np.full(BARS, 1e6),
        }
    ).write_parquet(path)
    return close


def plain_loop(close: list[float]) -> float:
    """Bars a second of the same rule in plain Python, without any matching, fees or metrics."""
    started = time.perf_counter()
    cash, held = 100_000.0, 0.0
    for at in range(SLOW, len(close)):
        fast = sum(close[at - FAST : at]) / FAST
        slow = sum(close[at - SLOW : at]) / SLOW
        if fast > slow and not held:
            held = cash // close[at]
            cash -= held * close[at]
        elif fast <= slow and held:
            cash += held * close[at]
            held = 0.0
    return len(close) / (time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.parquet"
        close = write_bars(path)
        spec = BacktestSpec(
            strategy="sma-cross", symbol="TEST", path=str(path), parameters={"fast": FAST, "slow": SLOW}
        )
        run(spec, lambda progress: None, "warm", 0)
        started = time.perf_counter()
        result = run(spec, lambda progress: None, "run", 0)
        ours = BARS / (time.perf_counter() - started)
    loop = plain_loop(close.tolist())
    print(
        json.dumps(
            {
                "bench": "backtest", "name": f"event-driven SMA {FAST}/{SLOW}, {len(result.trades)} trades",
                "value": round(ours), "unit": "bars/s", "peer": "plain Python loop, no matching", "peer_value": round(loop),
                "ratio_to_peer": round(ours / loop, 2),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
