"""Candles and volume as pyqtgraph items that draw only the bars in sight, from arrays.

Bodies and wicks of one colour go to Qt in one call each. Where several bars share a pixel they are drawn as one, with
the first's open, the last's close and the extremes of all.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor, QPainter

from console.charts.series import BarSeries
from console.theme import tokens

HALF = 0.35
"""Half the width of a body, in bars."""
THINNEST = 2.0
"""Pixels; bars that would be narrower are drawn several as one."""


class _BarItem(pg.GraphicsObject):  # type: ignore[misc]
    def __init__(self, series: BarSeries) -> None:
        super().__init__()
        self._series = series
        # Without it Qt names the whole item as exposed, and every bar there is would be drawn.
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def changed(self) -> None:
        """Call when the series has other bars or prices."""
        self.prepareGeometryChange()
        self.informViewBoundsChanged()
        self.update()

    @abstractmethod
    def _extent(self) -> tuple[float, float]:
        """Lowest and highest value of the whole series, which has bars."""

    def boundingRect(self) -> QRectF:
        if not len(self._series):
            return QRectF()
        low, high = self._extent()
        return QRectF(-1.0, low, len(self._series) + 1.0, max(high - low, 1e-9))

    def dataBounds(
        self,
        axis: int,
        frac: float = 1.0,
        orthoRange: Any = None,  # noqa: N803  pyqtgraph passes it by name
    ) -> tuple[float | None, float | None]:
        if not len(self._series):
            return None, None
        if axis == 0:
            return -1.0, float(len(self._series))
        if orthoRange is None:
            return self._extent()
        return self._extent_between(*orthoRange)

    @abstractmethod
    def _extent_between(self, left: float, right: float) -> tuple[float | None, float | None]:
        """The same for the bars from `left` to `right`, with a margin; None where there are none."""

    def _in_sight(self, painter: QPainter, exposed: QRectF) -> tuple[int, int, int]:
        """(first, end, bars drawn as one)"""
        width = max(abs(painter.worldTransform().m11()), 1e-9)
        group = max(int(THINNEST / width), 1)
        first = max(int(np.floor(exposed.left())) - group, 0)
        end = min(int(np.ceil(exposed.right())) + group + 1, len(self._series))
        # Groups begin at multiples of their size, or they would shimmer while the chart is moved.
        return first - first % group, end, group


class CandleItem(_BarItem):
    def paint(self, painter: QPainter, option: Any, widget: Any = None) -> None:
        if not len(self._series):
            return
        first, end, group = self._in_sight(painter, option.exposedRect)
        if end <= first:
            return
        x, opening, high, low, close = _grouped(self._series, first, end, group)
        rising = close >= opening
        for side, colour in ((rising, tokens().up), (~rising, tokens().down)):
            pen = pg.mkPen(colour)  # one pixel wide at any zoom
            painter.setPen(pen)
            painter.drawLines(
                [
                    QLineF(a, b, a, c)
                    for a, b, c in zip(x[side].tolist(), low[side].tolist(), high[side].tolist(), strict=True)
                ]
            )
            painter.setBrush(QColor(colour))
            half = HALF * group
            tops, bottoms = np.maximum(opening, close)[side], np.minimum(opening, close)[side]
            painter.drawRects(
                [
                    QRectF(a - half, b, 2 * half, t - b)
                    for a, b, t in zip(x[side].tolist(), bottoms.tolist(), tops.tolist(), strict=True)
                ]
            )

    def _extent(self) -> tuple[float, float]:
        return float(self._series.column("low").min()), float(self._series.column("high").max())

    def _extent_between(self, left: float, right: float) -> tuple[float | None, float | None]:
        first, end = max(int(left), 0), min(int(right) + 1, len(self._series))
        if end <= first:
            return None, None
        low = float(self._series.column("low")[first:end].min())
        high = float(self._series.column("high")[first:end].max())
        margin = max((high - low) * 0.06, high * 1e-5)
        return low - margin, high + margin


class VolumeItem(_BarItem):
    def paint(self, painter: QPainter, option: Any, widget: Any = None) -> None:
        if not len(self._series):
            return
        first, end, group = self._in_sight(painter, option.exposedRect)
        if end <= first:
            return
        series = self._series
        rising = series.column("close")[first:end:group] >= series.column("open")[first:end:group]
        volume = np.maximum.reduceat(series.column("volume")[first:end], np.arange(0, end - first, group))
        x = np.arange(first, end, group, dtype=np.float64)
        for side, colour in ((rising, tokens().up), (~rising, tokens().down)):
            tint = QColor(colour)
            tint.setAlpha(110)
            painter.setPen(pg.mkPen(None))
            painter.setBrush(tint)
            half = HALF * group
            painter.drawRects(
                [
                    QRectF(a - half, 0.0, 2 * half, v)
                    for a, v in zip(x[side].tolist(), volume[side].tolist(), strict=True)
                ]
            )

    def _extent(self) -> tuple[float, float]:
        return 0.0, max(float(self._series.column("volume").max()), 1.0)

    def _extent_between(self, left: float, right: float) -> tuple[float | None, float | None]:
        first, end = max(int(left), 0), min(int(right) + 1, len(self._series))
        if end <= first:
            return None, None
        return 0.0, max(float(self._series.column("volume")[first:end].max()) * 1.05, 1.0)


def _grouped(series: BarSeries, first: int, end: int, group: int) -> tuple[np.ndarray, ...]:
    columns = [series.column(name)[first:end] for name in ("open", "high", "low", "close")]
    x = np.arange(first, end, dtype=np.float64)
    if group == 1:
        return (x, *columns)
    starts = np.arange(0, end - first, group)
    lasts = np.minimum(starts + group - 1, end - first - 1)
    opening, high, low, close = columns
    return (
        x[starts],
        opening[starts],
        np.maximum.reduceat(high, starts),
        np.minimum.reduceat(low, starts),
        close[lasts],
    )
