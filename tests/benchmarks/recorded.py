"""`python -m tests.benchmarks.recorded`: a recorded day of four symbols from prints to candles of all lengths, one JSON object.

Nearly half of its prints share their time with another one, and a second of a symbol has nine of them, where the frames of
`stream` have hundreds. polars is the limit: it sums up whole columns into seconds, and asks no print whether it can be true.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import polars as pl

from engine.domain.market import Bar, Trade
from engine.market.batch import Batch
from engine.market.hours import NewYorkDays
from engine.market.processor import Processor
from tests.shared_data import FOLDER

SYMBOLS = ("SPY", "IBM", "AIG", "BAC")
DAY = "2013-10-07"
BATCH = 32
ROUNDS = 5


def recorded() -> pl.DataFrame:
    """Of all symbols, by time."""
    paths = {symbol: FOLDER / "trades" / symbol / f"{DAY}.parquet" for symbol in SYMBOLS}
    frames = [
        pl.read_parquet(path).select(
            pl.lit(symbol).alias("symbol"),
            pl.col("timestamp").cast(pl.Datetime("ns", "UTC")).alias("at"),
            pl.col("price").cast(pl.Float64),
            pl.col("size").cast(pl.Float64),
            "exchange",
            "condition",
        )
        for symbol, path in paths.items()
    ]
    return pl.concat(frames).sort("at", maintain_order=True)


def ours(trades: list[Trade]) -> None:
    bars: list[Bar] = []
    processor = Processor(bars.extend)
    for symbol in SYMBOLS:
        processor.watch(symbol, NewYorkDays())
    for first in range(0, len(trades), BATCH):
        processor.take(Batch(trades=trades[first : first + BATCH]))
    assert bars


def polars(frame: pl.DataFrame) -> None:
    price = pl.col("price")
    frame.group_by_dynamic("at", every="1s", group_by="symbol").agg(
        price.first().alias("open"), price.max().alias("high"), price.min().alias("low"), price.last().alias("close"),
        pl.col("size").sum().alias("volume"),
    )  # fmt: skip


def cost(work: Callable[[], None], prints: int) -> float:
    """Microseconds of processor time a print."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / prints * 1e6


def main() -> None:
    if not (FOLDER / "trades").is_dir():
        print(json.dumps({"bench": "recorded", "left_out": f"no recorded data in {FOLDER}"}))
        return
    frame = recorded()
    trades = [
        Trade(symbol, price, size, at, str(exchange), (str(condition),), number)
        for number, (symbol, at, price, size, exchange, condition) in enumerate(
            frame.with_columns(pl.col("at").cast(pl.Int64)).iter_rows(), 1
        )
    ]
    turns = [(cost(lambda: ours(trades), len(trades)), cost(lambda: polars(frame), len(trades))) for _ in range(ROUNDS)]
    mine, limit = (statistics.median(turn[kind] for turn in turns) for kind in (0, 1))
    print(
        json.dumps(
            {
                "bench": "recorded",
                "name": "prints_to_candles",
                "prints": len(trades),
                "cpu_us": round(mine, 2),
                "polars_cpu_us": round(limit, 3),
                "ratio": round(limit / mine, 4),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
