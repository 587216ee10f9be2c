"""Indicators over the candles: lines of those that are prices, and words for all that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt

from console import format
from console.charts.series import BarSeries
from console.theme import tokens
from engine.domain.market import NANOSECONDS, IndicatorValues


class Kind(NamedTuple):
    """`lines` are drawn, `words` are read out: fields of IndicatorValues. The lengths are the feed's."""

    name: str
    title: str
    lines: tuple[str, ...]
    words: tuple[str, ...]


KINDS = (
    Kind("sma", "SMA 20", ("sma",), ("sma",)),
    Kind("ema", "EMA 20", ("ema",), ("ema",)),
    Kind(
        "bollinger", "Bollinger 20 × 2", ("bollinger_upper", "bollinger_lower"), ("bollinger_lower", "bollinger_upper")
    ),
    Kind("vwap", "VWAP of the day", ("vwap",), ("vwap",)),
    Kind("rsi", "RSI 14", (), ("rsi",)),
    Kind("macd", "MACD 12 26 9", (), ("macd", "macd_signal")),
    Kind("atr", "ATR 14", (), ("atr",)),
)
FIRST_SHOWN = frozenset({"sma", "vwap"})
_DRAWN = tuple(line for kind in KINDS for line in kind.lines)


class Overlay:
    """`set_values` with what the feed gave out for the chart's symbol and timeframe; `show` chooses kinds by name."""

    def __init__(self, plot: pg.PlotItem, series: BarSeries) -> None:
        self.shown = set(FIRST_SHOWN)
        self._series = series
        self._values: dict[int, IndicatorValues] = {}
        self._curves = {name: pg.PlotCurveItem(connect="finite") for name in _DRAWN}
        for curve in self._curves.values():
            curve.setZValue(5)
            plot.addItem(curve, ignoreBounds=True)
        self.restyle()

    def set_values(self, values: Sequence[IndicatorValues]) -> bool:
        """Oldest first. True when anything changed."""
        found = {one.timestamp: one for one in values}
        if found == self._values:
            return False
        self._values = found
        self.redraw()
        return True

    def show(self, name: str, shown: bool) -> None:
        if shown:
            self.shown.add(name)
        else:
            self.shown.discard(name)
        self.redraw()

    def redraw(self) -> None:
        chosen = {line for kind in KINDS if kind.name in self.shown for line in kind.lines}
        times = np.fromiter(self._values, np.float64, len(self._values)) / NANOSECONDS
        known = self._series.column("time")
        places = np.searchsorted(known, times)
        there = places < len(known)
        there[there] = known[places[there]] == times[there]
        for name, curve in self._curves.items():
            curve.setVisible(name in chosen)
            if name in chosen:
                prices = np.fromiter((getattr(one, name) for one in self._values.values()), np.float64, len(times))
                curve.setData(places[there].astype(np.float64), prices[there])

    def restyle(self) -> None:
        t = tokens()
        colours = {"sma": t.accent, "ema": t.warning, "vwap": t.text}
        for name, curve in self._curves.items():
            style = Qt.PenStyle.DashLine if name == "vwap" else Qt.PenStyle.SolidLine
            curve.setPen(pg.mkPen(colours.get(name, t.muted), width=1, style=style))

    def words(self, time: float) -> str:
        """Of the bar that began at `time`, seconds UTC; of the newest with values when that one has none yet."""
        values = self._values.get(round(time * NANOSECONDS)) or next(reversed(self._values.values()), None)
        if values is None:
            return ""
        t = tokens()
        parts = (
            f"<span style='color:{t.muted}'>{kind.title}</span> "
            + " ".join(format.price(getattr(values, name)) for name in kind.words)
            for kind in KINDS
            if kind.name in self.shown
        )
        return "&nbsp; ".join(parts)
