"""The compiled step of every indicator: one closed bar of one symbol after another, in the order given.

Import it only where it is used: numba takes one to two seconds. Without fast-math and with a symbol's bars strictly in
order, a value has the same bits however the bars were cut into batches.

Formulas and first values are TA-Lib's (https://ta-lib.org): an exponential average begins with the plain mean of its
first n values; both averages of the MACD begin with the bar that completes the slow one; RSI and ATR are smoothed as in
J. W. Wilder, New Concepts in Technical Trading Systems (1978); Bollinger bands use the deviation of the whole window.
Plain means and deviations are summed anew for each window, so they do not drift as running sums do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.market.compiling import compiled

REFUSALS = (
    "",
    "a value is missing or not finite",
    "its prices cannot be",
    "its volume or average price is negative",
    "it is not later than the bar before",
)

EMA, FAST, SLOW, SIGNAL, GAIN, LOSS, RANGE, CLOSE, NOTIONAL, VOLUME = range(10)
"""Columns of `state`. Until an average is complete its column holds the sum of what came so far."""
STATE_COLUMNS = 10


@compiled
def _mean(ring: Any, count: int, length: int) -> float:
    """Of the newest `length` closes, summed from the oldest on."""
    size = ring.shape[0]
    total = 0.0
    for k in range(count - length, count):
        total += ring[k % size]
    return total / length


@compiled
def _deviation(ring: Any, count: int, length: int, mean: float) -> float:
    size = ring.shape[0]
    total = 0.0
    for k in range(count - length, count):
        distance = ring[k % size] - mean
        total += distance * distance
    return float(np.sqrt(total / length))


@compiled
def _exponential(value: float, x: float, seen: int, length: int) -> float:
    """`seen` counts the values including `x`."""
    if seen < length:
        return value + x
    if seen == length:
        return (value + x) / length
    return (x - value) * (2.0 / (length + 1)) + value


@compiled
def _wilder(value: float, x: float, seen: int, length: int) -> float:
    if seen < length:
        return value + x
    if seen == length:
        return (value + x) / length
    return (value * (length - 1) + x) / length


@compiled
def _trend(state: Any, out: Any, close: float, count: int, lengths: Any) -> None:
    """EMA and MACD."""
    _, ema, _, fast, slow, signal, _, _ = lengths
    state[EMA] = _exponential(state[EMA], close, count, ema)
    if count >= ema:
        out[1] = state[EMA]
    if count > slow - fast:
        state[FAST] = _exponential(state[FAST], close, count - (slow - fast), fast)
    state[SLOW] = _exponential(state[SLOW], close, count, slow)
    if count < slow:
        return
    macd = state[FAST] - state[SLOW]
    state[SIGNAL] = _exponential(state[SIGNAL], macd, count - slow + 1, signal)
    if count >= slow + signal - 1:
        out[3] = macd
        out[4] = state[SIGNAL]
        out[5] = macd - state[SIGNAL]


@compiled
def _momentum(state: Any, out: Any, high: float, low: float, close: float, count: int, lengths: Any) -> None:
    """RSI and ATR, which begin with the second bar. RSI is 50 where nothing has ever moved."""
    rsi, atr = lengths[2], lengths[7]
    before = state[CLOSE]
    state[CLOSE] = close
    if count == 1:
        return
    change = close - before
    state[GAIN] = _wilder(state[GAIN], max(change, 0.0), count - 1, rsi)
    state[LOSS] = _wilder(state[LOSS], max(-change, 0.0), count - 1, rsi)
    if count > rsi:
        total = state[GAIN] + state[LOSS]
        out[2] = 100.0 * (state[GAIN] / total) if total > 0.0 else 50.0
    true_range = max(high - low, abs(high - before), abs(low - before))
    state[RANGE] = _wilder(state[RANGE], true_range, count - 1, atr)
    if count > atr:
        out[9] = state[RANGE]


@compiled
def _bands(ring: Any, out: Any, count: int, lengths: Any, width: float) -> None:
    """SMA and Bollinger bands."""
    sma, bollinger = lengths[0], lengths[6]
    if count >= sma:
        out[0] = _mean(ring, count, sma)
    if count >= bollinger:
        middle = out[0] if sma == bollinger else _mean(ring, count, bollinger)
        reach = width * _deviation(ring, count, bollinger, middle)
        out[6] = middle + reach
        out[7] = middle
        out[8] = middle - reach


@compiled
def _session_average(state: Any, out: Any, price: float, volume: float) -> None:
    """VWAP of the session so far; the price itself until something was traded."""
    state[NOTIONAL] += price * volume
    state[VOLUME] += volume
    out[10] = state[NOTIONAL] / state[VOLUME] if state[VOLUME] > 0.0 else price


@compiled
def _problem(high: float, low: float, close: float, price: float, volume: float) -> int:
    """An index into REFUSALS; 0 when the bar can be."""
    if not np.isfinite(high + low + close + price + volume):
        return 1
    if not 0.0 < low <= close <= high:
        return 2
    return 3 if volume < 0.0 or price < 0.0 else 0


@compiled
def _refused(rows: Any, timestamps: Any, bars: Any, newest: Any) -> tuple[int, int]:
    """(row of the first bar that is refused, why); when it is -1 `newest` has been moved to the last of each symbol."""
    before = np.empty(rows.shape[0], np.int64)
    for i in range(rows.shape[0]):
        row = rows[i]
        why = _problem(bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4])
        if why == 0 and timestamps[i] <= newest[row]:
            why = 4
        if why:
            for k in range(i - 1, -1, -1):
                newest[rows[k]] = before[k]
            return i, why
        before[i] = newest[row]
        newest[row] = timestamps[i]
    return -1, 0


@compiled
def advance(
    rows: Any, timestamps: Any, bars: Any, sessions: Any, newest: Any, counts: Any, rings: Any, states: Any,
    known: Any, lengths: Any, width: float,
) -> Any:  # fmt: skip
    """Values after each bar, float64[n, 11], NaN where there are too few bars; which bar is refused (-1: none), and why.

    rows int64[n] which symbol; timestamps int64[n]; bars float64[n, 5] high, low, close, price that its volume was traded
    at (0 = not known, then the typical price), volume; sessions int64[n] any number that changes when a session begins.
    What is kept, changed in place unless a bar is refused: newest int64[s] last timestamp, counts int64[s], rings
    float64[s, w] newest closes, states float64[s, STATE_COLUMNS], known int64[s] the session of each symbol.
    """
    values = np.full((rows.shape[0], 11), np.nan)
    wrong, why = _refused(rows, timestamps, bars, newest)
    if wrong >= 0:
        return values, wrong, why
    for i in range(rows.shape[0]):
        row = rows[i]
        high, low, close, price, volume = bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4]
        if price == 0.0:
            price = (high + low + close) / 3.0
        ring, state, out = rings[row], states[row], values[i]
        ring[counts[row] % ring.shape[0]] = close
        counts[row] += 1
        count = counts[row]
        if known[row] != sessions[i]:
            known[row] = sessions[i]
            state[NOTIONAL] = 0.0
            state[VOLUME] = 0.0
        _bands(ring, out, count, lengths, width)
        _trend(state, out, close, count, lengths)
        _momentum(state, out, high, low, close, count, lengths)
        _session_average(state, out, price, volume)
    return values, wrong, why
