"""Candles of trades that were recorded, by the same normaliser and the same builder as live."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.batch import Batch
from engine.market.hours import Hours
from engine.market.processor import Processor

BATCH = 500


def build_candles(
    trades: Iterable[Trade], timeframe: Timeframe, hours: Hours, rejections: Counter[str] | None = None
) -> dict[tuple[str, int], Bar]:
    """The last revision of each closed candle, by symbol and start; `trades` in the order in which they were printed.

    `rejections` is told how many prints were refused for which reason.
    """
    found: dict[tuple[str, int], Bar] = {}

    def keep(bars: Iterable[Bar]) -> None:
        found.update(((bar.symbol, bar.timestamp), bar) for bar in bars if bar.timeframe is timeframe)

    processor = Processor(keep)
    remaining = iter(trades)
    while batch := list(itertools.islice(remaining, BATCH)):
        for symbol in {trade.symbol for trade in batch} - processor.candles.keys():
            processor.watch(symbol, hours)
        # A recording is its own clock: no night between two of its days is a leap into the future.
        processor.normaliser.tell_time(max(trade.timestamp for trade in batch))
        processor.take(Batch(trades=batch))
    processor.close_before(processor.normaliser.newest + 2 * Timeframe.DAY_1.nanoseconds)
    if rejections is not None:
        rejections.update(
            {reason.value: count for reason, count in processor.normaliser.rejections.counts.items() if count}
        )
    return found
