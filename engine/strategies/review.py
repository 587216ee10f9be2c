"""Which signals a corrected bar would have changed: the strategy is asked again, with the bar as it was and as it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec
import numpy as np

from engine.strategies.base import Bars, FloatArray

KEPT = 200
"""Newest signals of one symbol that are remembered."""

Weigh = Callable[[Bars], FloatArray]
"""The weights that the strategy gives, one for each bar."""


class Changed(msgspec.Struct, frozen=True):
    """A signal and what the strategy would have wanted; weights in [-1, 1]."""

    signal_id: str
    row: int
    """Of the bar that it followed from, in the bars as they are."""
    was: float
    would_be: float


class SignalReview:
    """Of one symbol. Compares the strategy with itself, so that a window that is too short accuses no signal wrongly."""

    def __init__(self, weigh: Weigh, material: float) -> None:
        """`material` is the smallest difference of weights that counts."""
        self._weigh = weigh
        self._material = material
        self._said: deque[tuple[str, int]] = deque(maxlen=KEPT)

    def said(self, signal_id: str, bar: int) -> None:
        """`bar` is the start of the bar that the signal followed from, int nanoseconds UTC."""
        self._said.append((signal_id, bar))

    def look(self, before: Bars, after: Bars, corrected: int) -> list[Changed]:
        """The signals that followed from the `corrected` bar or a later one, and would be others now, oldest first."""
        concerned = [(signal_id, bar) for signal_id, bar in self._said if bar >= corrected]
        common = np.intersect1d(before.timestamp, after.timestamp)
        if not concerned or corrected not in common:
            return []
        rows = {int(time): row for row, time in enumerate(after.timestamp)}
        was = dict(zip(before.timestamp.tolist(), self._weigh(before).tolist(), strict=True))
        now = self._weigh(after)
        return [
            Changed(signal_id, rows[bar], was[bar], float(now[rows[bar]]))
            for signal_id, bar in concerned
            if bar in rows and bar in was and abs(now[rows[bar]] - was[bar]) >= self._material
        ]
