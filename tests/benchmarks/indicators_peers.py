"""Run by the interpreter of the peers, which knows nothing of ours: one JSON line each for talipp and NautilusTrader.

Every symbol has an object for each indicator, as their users have; a bar is given to all of one symbol, symbol by symbol.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any

SYMBOLS, KINDS = 500, 7
Bar = tuple[float, float, float, float]
Update = Callable[[Bar], Any]


def bars(symbols: int, count: int) -> list[list[Bar]]:
    """[bar][symbol]: high, low, close, volume."""
    chance = random.Random(1)
    price = [100.0] * symbols
    rows: list[list[Bar]] = []
    for _ in range(count):
        price = [max(value + chance.uniform(-0.1, 0.1), 1.0) for value in price]
        rows.append([(value + 0.05, value - 0.05, value, 100.0) for value in price])
    return rows


def talipp(at: int) -> Update:
    from talipp.indicators import ATR, BB, EMA, MACD, RSI, SMA, VWAP  # type: ignore[import-not-found]
    from talipp.ohlcv import OHLCV  # type: ignore[import-not-found]

    closes = [SMA(20), EMA(20), RSI(14), MACD(12, 26, 9), BB(20, 2.0)]
    whole = [ATR(14), VWAP()]

    def update(bar: Bar) -> None:
        high, low, close, volume = bar
        for indicator in closes:
            indicator.add(close)
        candle = OHLCV(close, high, low, close, volume)
        for indicator in whole:
            indicator.add(candle)

    return update


def nautilus(at: int) -> Update:
    from datetime import UTC, datetime

    from nautilus_trader import indicators as n  # type: ignore[import-not-found]

    sma, ema, rsi = n.SimpleMovingAverage(20), n.ExponentialMovingAverage(20), n.RelativeStrengthIndex(14)
    macd, signal = n.MovingAverageConvergenceDivergence(12, 26), n.ExponentialMovingAverage(9)
    bands, atr, vwap = n.BollingerBands(20, 2.0), n.AverageTrueRange(14), n.VolumeWeightedAveragePrice()
    day = datetime(2024, 1, 2, tzinfo=UTC)

    def update(bar: Bar) -> None:
        high, low, close, volume = bar
        sma.update_raw(close)
        ema.update_raw(close)
        rsi.update_raw(close)
        macd.update_raw(close)
        signal.update_raw(macd.value)
        bands.update_raw(high, low, close)
        atr.update_raw(high, low, close)
        vwap.update_raw(close, volume, day)

    return update


def measure(make: Callable[[int], Update], count: int) -> float:
    """Bars a second, each with all indicators, once they are warm."""
    updates = [make(at) for at in range(SYMBOLS)]
    rows = bars(SYMBOLS, 40 + count)
    for row in rows[:40]:
        for update, bar in zip(updates, row, strict=True):
            update(bar)
    began = time.perf_counter()
    for row in rows[40:]:
        for update, bar in zip(updates, row, strict=True):
            update(bar)
    return SYMBOLS * count / (time.perf_counter() - began)


def main() -> None:
    for name, make, count in (("talipp", talipp, 10), ("NautilusTrader", nautilus, 60)):
        try:
            print(json.dumps({"peer": name, "rate": measure(make, count)}), flush=True)
        except ImportError as error:
            print(f"{name} is missing: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
