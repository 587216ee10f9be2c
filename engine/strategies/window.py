"""The bars that a live strategy sees: closed, in order, without doubles, bounded, and whole or else asked for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.domain.market import Bar, Timeframe
from engine.strategies.base import Bars

GAP = 30
"""Missing bars after which history is asked for again; a few are normal, because no trade makes no bar."""


class BarWindow:
    """The newest `most` closed bars of one symbol. `wants_history` until it has been filled, and after a gap."""

    def __init__(self, symbol: str, timeframe: Timeframe, most: int) -> None:
        self.symbol = symbol
        self.most = most
        self.wants_history = True
        self._timeframe = timeframe
        self._bars: dict[int, Bar] = {}

    def add(self, bar: Bar) -> bool:
        """True when it is a new bar, or a correction of the newest; later corrections replace silently."""
        newest = next(reversed(self._bars), bar.timestamp)
        if bar.timestamp - newest > GAP * self._timeframe.nanoseconds:
            self.wants_history = True
        self._bars[bar.timestamp] = bar
        if bar.timestamp < newest:
            self._tidy()
            return False
        self._trim()
        return True

    def fill(self, bars: Iterable[Bar]) -> bool:
        """History from the feed, beneath what came live meanwhile. True when there is something to decide on."""
        live = self._bars
        self._bars = {bar.timestamp: bar for bar in bars if bar.closed and bar.symbol == self.symbol}
        self._bars.update(live)
        self._tidy()
        self.wants_history = False
        return bool(self._bars)

    def bars(self) -> Bars:
        kept = list(self._bars.values())
        columns = np.array(
            [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in kept], dtype=np.float64
        ).reshape(len(kept), 5)
        return Bars(np.fromiter(self._bars, dtype=np.int64, count=len(kept)), *columns.T)

    def _tidy(self) -> None:
        self._bars = dict(sorted(self._bars.items()))
        self._trim()

    def _trim(self) -> None:
        while len(self._bars) > self.most:
            del self._bars[next(iter(self._bars))]
