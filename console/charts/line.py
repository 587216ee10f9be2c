"""A line over time, such as equity, with what it fell from its peak below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QStackedLayout, QWidget

from console.charts.axes import TimeAxis, ValueAxis, style_axis
from console.theme import tokens
from console.widgets.layout import label


class EquityChart(QWidget):
    """`set_data` with times in seconds UTC; `benchmark` is drawn muted behind. `empty` says what will be here."""

    def __init__(self, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._graphics = pg.GraphicsLayoutWidget()
        self._graphics.setAccessibleName("equity curve")
        self._axes = [ValueAxis(), ValueAxis(suffix=" %"), TimeAxis()]
        self._top = self._graphics.addPlot(row=0, col=0, axisItems={"right": self._axes[0]})
        self._below = self._graphics.addPlot(row=1, col=0, axisItems={"right": self._axes[1], "bottom": self._axes[2]})
        layout = self._graphics.ci.layout
        layout.setRowStretchFactor(0, 4)
        layout.setRowStretchFactor(1, 1)
        layout.setSpacing(0)
        for plot in (self._top, self._below):
            plot.hideAxis("left")
            plot.showAxis("right")
            plot.hideButtons()
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(x=True, y=False)
            plot.showGrid(x=True, y=True, alpha=0.12)
            plot.vb.setAutoVisible(y=True)
        self._top.hideAxis("bottom")
        self._below.setXLink(self._top)
        self._benchmark, self._equity, self._drawdown = pg.PlotDataItem(), pg.PlotDataItem(), pg.PlotDataItem()
        self._top.addItem(self._benchmark)
        self._top.addItem(self._equity)
        self._below.addItem(self._drawdown)
        for curve in (self._benchmark, self._equity, self._drawdown):
            curve.setClipToView(True)
            curve.setDownsampling(auto=True, method="peak")
        self._nothing = label(empty, "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self._graphics)
        self.restyle()

    def set_data(self, times: Sequence[float], equity: Sequence[float], benchmark: Sequence[float] = ()) -> None:
        # Axes around no line would show figures that mean nothing.
        self._pages.setCurrentWidget(self._graphics if len(times) > 1 else self._nothing)
        x, y = np.asarray(times, dtype=np.float64), np.asarray(equity, dtype=np.float64)
        self._equity.setData(x, y)
        self._benchmark.setData(x[: len(benchmark)], np.asarray(benchmark, dtype=np.float64))
        peak = np.maximum.accumulate(y) if len(y) else y
        with np.errstate(invalid="ignore", divide="ignore"):
            fall = np.where(peak > 0, (y / peak - 1) * 100, 0.0)
        self._drawdown.setData(x, fall)

    def restyle(self) -> None:
        t = tokens()
        self._graphics.setBackground(t.surface)
        for axis in self._axes:
            style_axis(axis)
        self._equity.setPen(pg.mkPen(t.accent))
        self._benchmark.setPen(pg.mkPen(t.muted))
        self._drawdown.setPen(pg.mkPen(t.down))
        shade = QColor(t.down)
        shade.setAlpha(50)
        self._drawdown.setFillBrush(shade)
        self._drawdown.setFillLevel(0.0)
