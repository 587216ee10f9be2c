"""The indicators of all symbols of one timeframe, as arrays with a row for each symbol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import DataError
from engine.domain.market import Bar
from engine.market.indicators.parameters import NAMES, IndicatorParameters

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FIRST_CAPACITY = 64
REMEDY = "Mend or remove the bar; an indicator that took it would be wrong from there on."


class IndicatorTable:
    """Closed bars in, oldest first for each symbol; values out. The first use in a process loads the compiled kernel."""

    def __init__(self, parameters: IndicatorParameters | None = None) -> None:
        # numba takes one to two seconds to import, which only a process that computes indicators shall pay.
        from engine.market.indicators import kernel

        self.parameters = p = parameters or IndicatorParameters()
        self._advance = kernel.advance
        self._refusals = kernel.REFUSALS
        self._lengths = (p.sma, p.ema, p.rsi, p.macd_fast, p.macd_slow, p.macd_signal, p.bollinger, p.atr)
        self._rows: dict[str, int] = {}
        self._free: list[int] = []
        self._counts = np.zeros(FIRST_CAPACITY, np.int64)
        self._rings = np.zeros((FIRST_CAPACITY, max(p.sma, p.bollinger)))
        self._states = np.zeros((FIRST_CAPACITY, kernel.STATE_COLUMNS))
        self._sessions = np.full(FIRST_CAPACITY, np.iinfo(np.int64).min)
        self._newest = np.full(FIRST_CAPACITY, np.iinfo(np.int64).min)
        """Start of the last bar taken, int nanoseconds UTC."""

    def row(self, symbol: str) -> int:
        """The symbol's row; a new one begins empty."""
        found = self._rows.get(symbol)
        if found is None:
            found = self._free.pop() if self._free else len(self._rows)
            self._grow(found + 1)
            self._rows[symbol] = found
            self._clear(found)
        return found

    def forget(self, symbol: str) -> None:
        row = self._rows.pop(symbol, None)
        if row is not None:
            self._free.append(row)

    def count(self, symbol: str) -> int:
        """Bars taken since the symbol began or was forgotten."""
        row = self._rows.get(symbol)
        return 0 if row is None else int(self._counts[row])

    def take(self, bars: Sequence[Bar], sessions: Sequence[int] | IntArray) -> FloatArray:
        """Values after each bar, float64[n, 11] as in NAMES. `sessions` tells for each bar when its session began.

        Raises DataError for a bar that cannot be, or that is not later than the symbol's last; then nothing is taken.
        """
        numbers = np.array([(bar.high, bar.low, bar.close, bar.vwap, bar.volume) for bar in bars], np.float64)
        timestamps = np.array([bar.timestamp for bar in bars], np.int64)
        rows = np.array([self.row(bar.symbol) for bar in bars], np.int64)
        return self.update(rows, timestamps, numbers.reshape(len(bars), 5), np.asarray(sessions, np.int64))

    def update(self, rows: IntArray, timestamps: IntArray, bars: FloatArray, sessions: IntArray) -> FloatArray:
        """The same from arrays: bars float64[n, 5] high, low, close, vwap (0 = not known), volume.

        Where the vwap is not known, the typical price (high + low + close) / 3 takes its place.
        """
        values, wrong, why = self._advance(
            rows, timestamps, bars, sessions, self._newest, self._counts, self._rings, self._states, self._sessions,
            self._lengths, self.parameters.bollinger_width,
        )  # fmt: skip
        if wrong >= 0:
            symbol = next(symbol for symbol, row in self._rows.items() if row == rows[wrong])
            raise DataError(f"A bar of {symbol} is refused: {self._refusals[why]}.", REMEDY)
        found: FloatArray = values
        return found

    def _clear(self, row: int) -> None:
        self._counts[row] = 0
        self._rings[row] = self._states[row] = 0.0
        self._sessions[row] = self._newest[row] = np.iinfo(np.int64).min

    def _grow(self, needed: int) -> None:
        if needed <= len(self._counts):
            return
        for name in ("_counts", "_rings", "_states", "_sessions", "_newest"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros_like(old)]))


def whole_series(
    bars: Sequence[Bar], sessions: Sequence[int], parameters: IndicatorParameters
) -> dict[str, FloatArray]:
    """Every indicator over the history of one symbol, by name, float64[n] each."""
    values = IndicatorTable(parameters).take(bars, sessions)
    return {name: values[:, column] for column, name in enumerate(NAMES)}
