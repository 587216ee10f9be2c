"""A position that is entered by one event and left by another."""

from __future__ import annotations

import numpy as np


def held_between(enter: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """A switch: True from each bar where `enter` holds until the next where `leave` does. bool[n] each.

    Where both hold, `leave` wins. It starts off, so it depends on the past as far back as the last event.
    """
    event = np.where(leave, -1, np.where(enter, 1, 0))
    index = np.where(event != 0, np.arange(len(event)), -1)
    last = np.maximum.accumulate(index) if len(index) else index
    state: np.ndarray = np.where(last >= 0, event[last], -1) > 0
    return state
