"""The Strategy protocol: a pure function of history, the same live, in a backtest and in a sweep."""

from __future__ import annotations

from typing import ClassVar, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Bars(msgspec.Struct, frozen=True, eq=False):
    """The history of one symbol as columns of equal length n, oldest first.

    `timestamp` is int64[n], nanoseconds UTC, the start of each bar; the others are float64[n].
    """

    timestamp: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.timestamp)

    def __getitem__(self, rows: slice) -> Bars:
        return Bars(
            self.timestamp[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )


class Targets(msgspec.Struct, frozen=True, eq=False):
    """For every bar, what to hold after its close: weight in [-1, 1] and confidence in [0, 1], float64[n] each."""

    weight: FloatArray
    confidence: FloatArray


class Strategy(Protocol):
    """Row k of `targets(bars)` may depend on rows 0..k only:

    targets(bars[:k]) equals the first k rows of targets(bars). One property test holds every strategy to it, so
    look-ahead cannot hide. Live code uses the last row, the backtest all of them.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Parameters: ClassVar[type[msgspec.Struct]]

    @property
    def warmup(self) -> int:
        """Bars needed before the first row that means something; earlier rows are weight 0, confidence 0."""
        ...

    def targets(self, bars: Bars) -> Targets: ...
