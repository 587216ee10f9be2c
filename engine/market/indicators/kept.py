"""The newest closed bars of one symbol and timeframe as arrays, so that its indicators can be computed again."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engine.domain.market import Bar

NUMBERS = 5
"""high, low, close, vwap, volume: what `IndicatorTable.update` takes."""


class KeptBars:
    """The newest `most`, and up to as many before them, in order of their time, each once."""

    def __init__(self, most: int) -> None:
        self._most = most
        first = min(64, 2 * most)
        self._times = np.empty(first, np.int64)
        self._numbers = np.empty((first, NUMBERS))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def newest(self) -> int:
        """Its start, int nanoseconds UTC; -1 where there is none."""
        return int(self._times[self._count - 1]) if self._count else -1

    @property
    def times(self) -> NDArray[np.int64]:
        return self._times[: self._count]

    @property
    def numbers(self) -> NDArray[np.float64]:
        """A copy, float64[n, 5]."""
        return self._numbers[: self._count].copy()

    def put(self, bar: Bar) -> int:
        """Added, or in the place of the one that began at the same time; its row. -1 when it is too old to be kept."""
        row = int(np.searchsorted(self.times, bar.timestamp))
        if row < self._count - self._most:
            return -1
        if row == self._count or self._times[row] != bar.timestamp:
            row = self._make_room(row)
        self._times[row] = bar.timestamp
        self._numbers[row] = bar.high, bar.low, bar.close, bar.vwap, bar.volume
        return row

    def put_below(self, bars: Iterable[Bar]) -> None:
        """What was before, or between, the bars that are kept already, which stay as they are."""
        known = set(self.times.tolist())
        for bar in bars:
            if bar.timestamp not in known:
                self.put(bar)

    def _make_room(self, row: int) -> int:
        """Moves what is at and after `row`; drops the oldest once there are twice too many. The row, moved likewise."""
        if self._count == len(self._times):
            if self._count >= 2 * self._most:
                dropped = self._count - self._most
                self._times[:-dropped] = self._times[dropped:].copy()
                self._numbers[:-dropped] = self._numbers[dropped:].copy()
                self._count -= dropped
                row -= dropped
            else:
                room = min(len(self._times), 2 * self._most - len(self._times))
                self._times = np.concatenate([self._times, np.empty(room, np.int64)])
                self._numbers = np.concatenate([self._numbers, np.empty((room, NUMBERS))])
        self._times[row + 1 : self._count + 1] = self._times[row : self._count].copy()
        self._numbers[row + 1 : self._count + 1] = self._numbers[row : self._count].copy()
        self._count += 1
        return row
