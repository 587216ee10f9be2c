"""Trades in columns to tape and open second, symbol by symbol: what comes when the market is busiest.

The processor's loop goes from print to print as they came, and looks its symbol up each time. Here the prints of one
symbol are taken with its state at hand for as long as they are ordinary; the others are left to that loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.market.columns import Trades
from engine.market.normaliser.conditions import ALL, HIGH_LOW, LAST, VOLUME
from engine.market.normaliser.symbol import Symbol


def take_runs(trades: Trades, symbols: Mapping[str, Symbol]) -> tuple[list[int], int]:
    """The places of those that were not taken, and the newest time of the others; 0 = there are none."""
    left: list[int] = []
    start = newest = 0
    for end in trades.ends:
        symbol = symbols[trades.symbols[start]]
        if trades.times[start] < symbol.open.end:
            first, start = start, _take_run(symbol, trades, start, end)
            if start > first:
                newest = max(newest, symbol.latest)
        left += range(start, end)
        start = end
    return left, newest


def _take_run(symbol: Symbol, trades: Trades, start: int, end: int) -> int:
    """The place of the first that is not ordinary: earlier than the one before, of the next second, of a price or size that
    is to be judged, or known already. What `Fold.add` does is written out.
    """
    second, band, fold, tape = symbol.open, symbol.band, symbol.open.fold, symbol.tape
    latest, second_end, lowest, highest, infinite = symbol.latest, second.end, band.low, band.high, math.inf
    volume, turnover, count, high, low = fold.volume, fold.turnover, fold.count, fold.high, fold.low
    close, close_at, close_id = fold.close, fold.close_at, fold.close_id
    times, prices, sizes = trades.times[start:end], trades.prices[start:end], trades.sizes[start:end]
    numbers, exchanges = trades.numbers[start:end], trades.exchanges[start:end]
    kinds = list(map(symbol.kinds.__getitem__, trades.conditions[start:end]))
    n = kept = 0
    for at, price, size, number, kind in zip(times, prices, sizes, numbers, kinds, strict=True):
        if not (latest <= at < second_end and lowest <= price <= highest and 0.0 < size < infinite):
            break
        if at == latest:
            if symbol.burst_at != at and kept < n:
                tape.extend(
                    times[kept:n], prices[kept:n], sizes[kept:n], numbers[kept:n], exchanges[kept:n], kinds[kept:n]
                )
                kept = n
            if not symbol.is_another(at, exchanges[n], number):
                break
        latest = at
        n += 1
        effect = kind.effect
        if effect == ALL and -1 < close_at < at:
            volume += size
            turnover += price * size
            count += 1
            close, close_at, close_id = price, at, number
            if price > high:
                high = price
            if price < low:
                low = price
            continue
        if effect & VOLUME:
            volume += size
            turnover += price * size
            count += 1
        if effect & HIGH_LOW:
            if price > high:
                high = price
            if price < low:
                low = price
        if effect & LAST:
            if at > close_at or (at == close_at and number >= close_id):
                close, close_at, close_id = price, at, number
            if fold.open_at < 0 or at < fold.open_at or (at == fold.open_at and number < fold.open_id):
                fold.open, fold.open_at, fold.open_id = price, at, number
    if n:
        symbol.newest = symbol.latest = latest
        fold.volume, fold.turnover, fold.count, fold.high, fold.low = volume, turnover, count, high, low
        fold.close, fold.close_at, fold.close_id = close, close_at, close_id
        tape.extend(times[kept:n], prices[kept:n], sizes[kept:n], numbers[kept:n], exchanges[kept:n], kinds[kept:n])
    return start + n
