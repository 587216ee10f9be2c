"""`python -m tests.benchmarks.backtest`: the event-driven run beside backtesting.py, and a plain loop, in the same run.

backtesting.py is no dependency; where it cannot be imported its line is left out. Ours reads the file, matches, and
measures; backtesting.py is given the bars in memory. The plain loop recomputes both means at each bar, as an event-driven
strategy without a vectorised form has to, and has no matching, costs or figures.
The bars are SPY's minutes laid end to end where the shared data is there, else a random walk.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars

from engine.backtest.data import read_bars
from engine.backtest.result import BacktestResult, BacktestSpec
from engine.backtest.runner import run
from engine.strategies.base import Bars
from tests.shared_data import FOLDER

BARS = 100_000
FAST, SLOW = 10, 30


MINUTE = 60 * 10**9
RUNS = 3
SPY = FOLDER / "bars_1min" / "SPY.parquet"


def write_bars(path: Path) -> Bars:
    opening, high, low, close, volume = tiled() if SPY.is_file() else walk()
    columns = {"open": opening, "high": high, "low": low, "close": close, "volume": volume}
    start = 1_600_000_020 * 10**9 + np.arange(BARS, dtype=np.int64) * MINUTE
    polars.DataFrame({"timestamp": start, **columns}).write_parquet(path)
    return Bars(start, opening, high, low, close, volume)


def tiled() -> tuple[np.ndarray, ...]:
    spy = read_bars(SPY)
    return tuple(np.resize(column, BARS) for column in (spy.open, spy.high, spy.low, spy.close, spy.volume))


def walk() -> tuple[np.ndarray, ...]:
    close = 100 * np.exp(np.random.default_rng(1).normal(0, 0.0005, BARS).cumsum())
    opening = np.concatenate([close[:1], close[:-1]])
    return opening, np.maximum(opening, close), np.minimum(opening, close), close, np.full(BARS, 1e6)


def ours(path: Path) -> tuple[float, BacktestResult]:
    spec = BacktestSpec(strategy="sma-cross", symbol="SPY", path=str(path), parameters={"fast": FAST, "slow": SLOW})
    best = 0.0
    for _ in range(RUNS):
        started = time.perf_counter()
        result = run(spec, lambda progress: None, "run", 0)
        best = max(best, BARS / (time.perf_counter() - started))
    return best, result


def backtesting_py(bars: Bars) -> float:
    """The same rule in backtesting.py: long above, flat below, filled at the next open."""
    import pandas
    from backtesting import Backtest, Strategy  # type: ignore[import-not-found]

    def mean(values: Any, length: int) -> Any:
        return pandas.Series(values).rolling(length).mean()

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(mean, self.data.Close, FAST)
            self.slow = self.I(mean, self.data.Close, SLOW)

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy()
            elif self.position:
                self.position.close()

    frame = pandas.DataFrame(
        {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume},
        index=pandas.to_datetime(bars.timestamp),
    )
    best = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(RUNS):
            test = Backtest(frame, Cross, cash=100_000, spread=0.0001, finalize_trades=True)
            started = time.perf_counter()
            test.run()
            best = max(best, BARS / (time.perf_counter() - started))
    return best


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
        bars = write_bars(path)
        mine, result = ours(path)
    peers = {"plain Python loop, no matching": plain_loop(bars.close.tolist())}
    if importlib.util.find_spec("backtesting") is not None:
        peers["backtesting.py"] = backtesting_py(bars)
    for peer, value in peers.items():
        line = {
            "bench": "backtest", "figure": f"event-driven SMA {FAST}/{SLOW}, {BARS} bars, {len(result.trades)} trades",
            "value": round(mine), "unit": "bars/s", "peer": peer, "peer_value": round(value),
            "ratio": round(mine / value, 2),
        }  # fmt: skip
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
