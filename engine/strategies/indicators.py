"""Indicators as arrays, each value computed from its own bar and those before it; NaN while there is too little."""

from __future__ import annotations

import numpy as np

from engine.strategies.base import FloatArray


def simple_mean(values: FloatArray, length: int) -> FloatArray:
    """Mean of the last `length` values.

    Each window is summed by itself: a running sum would let rounding errors depend on where the history starts.
    """
    result = np.full(len(values), np.nan)
    if len(values) >= length:
        windows = np.lib.stride_tricks.sliding_window_view(values, length)
        result[length - 1 :] = windows.mean(axis=1)
    return result


def relative_strength(close: FloatArray, length: int) -> FloatArray:
    """RSI after Cutler: plain means of the gains and losses of the last `length` changes, 0 to 100.

    Wilder's smoothing remembers the whole past, so its value depends on where the history starts; Cutler's depends on
    `length` + 1 closes only and is therefore the same live, in a backtest and after a restart. 50 where nothing moved.
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


def held_between(enter: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """A switch: True from each bar where `enter` holds until the next where `leave` does. bool[n] each.

    Where both hold, `leave` wins. It starts off, so it depends on the past as far back as the last event.
    """
    event = np.where(leave, -1, np.where(enter, 1, 0))
    index = np.where(event != 0, np.arange(len(event)), -1)
    last = np.maximum.accumulate(index) if len(index) else index
    state: np.ndarray = np.where(last >= 0, event[last], -1) > 0
    return state
