"""Indicators of one symbol over its whole history as arrays, for strategies; NaN while there is too little.

Each value depends on its own window only, never on where the history starts: so it is the same live, in a backtest and
after a restart. What charts show and the feed publishes comes from `table`; its plain mean has the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def simple_mean(values: FloatArray, length: int) -> FloatArray:
    """Mean of the last `length` values, each window summed by itself from its oldest value on."""
    result = np.full(len(values), np.nan)
    count = len(values) - length + 1
    if count > 0:
        total = np.zeros(count)
        for lag in range(length):
            total += values[lag : lag + count]
        result[length - 1 :] = total / length
    return result


def relative_strength(close: FloatArray, length: int) -> FloatArray:
    """RSI after Cutler: plain means of the gains and losses of the last `length` changes, 0 to 100.

    Wilder's smoothing, which charts and the feed's RSI use, remembers the whole past, so its value depends on where the
    history starts; Cutler's depends on `length` + 1 closes only. 50 where nothing moved.
    Source: D. Cutler; see J. Wilder, New Concepts in Technical Trading Systems (1978) for the original.
    """
    result = np.full(len(close), np.nan)
    if len(close) <= length:
        return result
    change = np.diff(close)
    gain = simple_mean(np.maximum(change, 0.0), length)[length - 1 :]
    loss = simple_mean(np.maximum(-change, 0.0), length)[length - 1 :]
    total = gain + loss
    result[length:] = np.divide(100.0 * gain, total, out=np.full(len(total), 50.0), where=total > 0)
    return result
