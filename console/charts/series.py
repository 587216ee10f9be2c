"""The bars of a chart as growing arrays: appended and replaced in place, never rebuilt for one more bar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.domain.market import NANOSECONDS, Bar

COLUMNS = ("time", "open", "high", "low", "close", "volume")
FIRST_CAPACITY = 1_024


class BarSeries:
    """Columns are float64; `time` in seconds UTC, the start of each bar. The x axis of a chart is the row number."""

    def __init__(self) -> None:
        self._data = np.empty((len(COLUMNS), FIRST_CAPACITY))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> np.ndarray:
        return self._data[COLUMNS.index(name), : self._count]

    def set(self, bars: Sequence[Bar]) -> None:
        """Oldest first."""
        self._count = 0
        self._grow(len(bars))
        if bars:
            self._data[:, : len(bars)] = np.array([_row(bar) for bar in bars]).T
            self._count = len(bars)

    def update(self, bars: Sequence[Bar]) -> bool:
        """Bars from the last known one on: the same start replaces, a later one is added. True when anything changed."""
        changed = False
        for bar in bars:
            time = bar.timestamp / NANOSECONDS
            position = int(np.searchsorted(self.column("time"), time))
            if position == self._count:
                self._append(bar)
                changed = True
            elif self._data[0, position] == time:
                before = self._data[:, position].copy()
                self._write(position, bar)
                changed |= not np.array_equal(before, self._data[:, position])
        return changed

    def position_of(self, time: float) -> float:
        """Where a moment lies on the x axis: in the bar that holds it."""
        return float(np.searchsorted(self.column("time"), time, side="right") - 1)

    @property
    def last_start(self) -> int:
        """Int nanoseconds UTC; 0 when there is no bar."""
        return round(self._data[0, self._count - 1] * NANOSECONDS) if self._count else 0

    def _append(self, bar: Bar) -> None:
        self._grow(self._count + 1)
        self._write(self._count, bar)
        self._count += 1

    def _write(self, position: int, bar: Bar) -> None:
        self._data[:, position] = _row(bar)

    def _grow(self, needed: int) -> None:
        capacity = self._data.shape[1]
        if needed > capacity:
            larger = np.empty((len(COLUMNS), max(needed, capacity * 2)))
            larger[:, : self._count] = self._data[:, : self._count]
            self._data = larger


def _row(bar: Bar) -> tuple[float, ...]:
    return bar.timestamp / NANOSECONDS, bar.open, bar.high, bar.low, bar.close, bar.volume
