"""Updates of all indicators of 500 symbols a second, beside talipp's and NautilusTrader's in the same run.

An update is one indicator moved by one bar; there are seven (SMA, EMA, RSI, MACD, Bollinger, ATR, VWAP). Ours are
measured from `Bar` objects with validation, as the feed has them, and from arrays, in batches of 500, 10 and 1.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.market.indicators.table import IndicatorTable
from tests.benchmarks.indicators_peers import KINDS, SYMBOLS, bars

ROUNDS, WARM = 5, 40
COUNT = 200
GOAL = 10.0
MINUTE = 60 * NANOSECONDS
NAMES = [f"S{number}" for number in range(SYMBOLS)]


def from_bars(batch: int) -> float:
    """Bars a second."""
    count = COUNT if batch > 1 else 10
    table, sessions = IndicatorTable(), [0] * batch
    rows = [
        [
            Bar(name, Timeframe.MINUTE_1, number * MINUTE, close, high, low, close, volume)
            for name, (high, low, close, volume) in zip(NAMES, row, strict=True)
        ]
        for number, row in enumerate(bars(SYMBOLS, WARM + count))
    ]
    for row in rows[:WARM]:
        table.take(row, [0] * SYMBOLS)
    began = time.perf_counter()
    for row in rows[WARM:]:
        for begin in range(0, SYMBOLS, batch):
            table.take(row[begin : begin + batch], sessions)
    return SYMBOLS * count / (time.perf_counter() - began)


def from_arrays() -> float:
    table = IndicatorTable()
    rows, sessions = np.array([table.row(name) for name in NAMES]), np.zeros(SYMBOLS, np.int64)
    columns = [np.array([(h, lo, c, 0.0, v) for h, lo, c, v in row]) for row in bars(SYMBOLS, WARM + COUNT)]
    times = [np.full(SYMBOLS, number * MINUTE) for number in range(len(columns))]
    for number in range(WARM):
        table.update(rows, times[number], columns[number], sessions)
    began = time.perf_counter()
    for number in range(WARM, WARM + COUNT):
        table.update(rows, times[number], columns[number], sessions)
    return SYMBOLS * COUNT / (time.perf_counter() - began)


def peers(found: dict[str, list[float]]) -> None:
    if not (python := os.environ.get("PADDOCK_PEERS", "")):
        return
    script = str(Path(__file__).with_name("indicators_peers.py"))
    run = subprocess.run([python, script], capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines():
        said = json.loads(line)
        found[said["peer"]].append(said["rate"])


def main() -> None:
    ours: dict[str, list[float]] = defaultdict(list)
    theirs: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for batch in (500, 10, 1):
            ours[f"bars in batches of {batch}"].append(from_bars(batch))
        ours["arrays of 500"].append(from_arrays())
        peers(theirs)
    others = {name: statistics.median(rates) for name, rates in theirs.items()}
    best = max(others.values(), default=0.0)
    for name, rates in ours.items():
        say(name, statistics.median(rates), best, others)


def say(name: str, rate: float, best: float, others: dict[str, float]) -> None:
    more: dict[str, Any] = {"peers": {peer: {"value": round(value * KINDS)} for peer, value in others.items()}}
    if best:
        more |= {"goal": f"{GOAL:g} times the best peer", "ratio": round(rate / best, 2)}
    print(json.dumps({"what": f"indicators, {SYMBOLS} symbols × {KINDS}, {name}", "value": round(rate * KINDS),
                      "unit": "updates/s", **more}, ensure_ascii=False), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
