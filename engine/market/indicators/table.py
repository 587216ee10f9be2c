"""The indicators of all symbols of one timeframe, as arrays with a row for each symbol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
        table = np.array([(b.high, b.low, b.close, b.vwap, b.volume) for b in bars]).reshape(len(bars), 5)
        timestamps = np.fromiter((bar.timestamp for bar in bars), np.int64, len(bars))
        rows = np.fromiter((self.row(bar.symbol) for bar in bars), np.int64, len(bars))
        return self.update(rows, timestamps, table, np.asarray(sessions, np.int64))

    def update(self, rows: IntArray, timestamps: IntArray, bars: FloatArray, sessions: IntArray) -> FloatArray:
        """The same from arrays: bars float64[n, 5] high, low, close, vwap (0 = not known), volume. `bars` is changed:
        where the vwap is not known, the typical price (high + low + close) / 3 takes its place.
        """
        self._check(rows, timestamps, bars)
        unknown = bars[:, 3] == 0
        bars[unknown, 3] = (bars[unknown, 0] + bars[unknown, 1] + bars[unknown, 2]) / 3
        self._newest[rows] = timestamps
        values: FloatArray = self._advance(
            rows, bars, sessions, self._counts, self._rings, self._states, self._sessions, self._lengths,
            self.parameters.bollinger_width,
        )  # fmt: skip
        return values

    def _check(self, rows: IntArray, timestamps: IntArray, bars: FloatArray) -> None:
        high, low, close, vwap, volume = bars.T
        self._refuse(rows, ~np.isfinite(bars).all(axis=1), "a value is missing or not finite")
        self._refuse(rows, (low <= 0) | (high < close) | (close < low), "its prices cannot be")
        self._refuse(rows, (volume < 0) | (vwap < 0), "its volume or average price is negative")
        order = np.argsort(rows, kind="stable")
        same = rows[order][1:] == rows[order][:-1]
        back = np.zeros(len(rows), np.bool_)
        back[order[1:]] = same & (timestamps[order][1:] <= timestamps[order][:-1])
        self._refuse(rows, back | (timestamps <= self._newest[rows]), "it is not later than the bar before")

    def _refuse(self, rows: IntArray, wrong: Any, what: str) -> None:
        if wrong.any():
            first = int(rows[int(np.flatnonzero(wrong)[0])])
            symbol = next(symbol for symbol, row in self._rows.items() if row == first)
            raise DataError(f"A bar of {symbol} is refused: {what}.", REMEDY)

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
