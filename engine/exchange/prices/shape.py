"""The day's shape: trading is lively at the open and the close, calmer at noon, thin outside the session."""

from __future__ import annotations

import numpy as np

from engine.domain.market import NANOSECONDS
from engine.exchange.prices.base import Floats, Integers
from engine.exchange.sessions import midnight

_OPEN, _CLOSE = 570.0, 960.0
OUTSIDE = 0.45
"""Volatility outside the session as a share of the session's own mean."""
MINUTE = 60 * NANOSECONDS


def minute_of_day(timestamps: Integers) -> Floats:
    """Minutes since midnight in New York. One offset serves an hour, so a change of summer time is honoured."""
    hours = timestamps // (3600 * NANOSECONDS)
    unique, inverse = np.unique(hours, return_inverse=True)
    midnights = np.array([midnight(int(hour) * 3600 * NANOSECONDS) for hour in unique], np.int64)
    return (timestamps - midnights[inverse]) / MINUTE


def activity(minutes: Floats) -> Floats:
    """U-shaped over the session with mean 1, `OUTSIDE` elsewhere; used for volume, volatility and message rates."""
    position = (minutes - _OPEN) / (_CLOSE - _OPEN)
    u_shape = 0.75 + 3.0 * (position - 0.5) ** 2
    return np.where((position >= 0) & (position < 1), u_shape, OUTSIDE)


def pace(levels: Floats, regular_hours: bool) -> Floats:
    """Prints and quotes as a multiple of their mean. Round the clock a demo is never slower than at the day's mean, or
    whoever looks at it at night would wait for prices.
    """
    rates: Floats = np.sqrt(levels)
    return rates if regular_hours else np.maximum(rates, 1.0)
