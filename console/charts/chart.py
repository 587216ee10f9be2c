"""The price chart: candles, volume below, marks of our fills, a crosshair with its read-out, and the last price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from console import format
from console.charts.axes import BarTimeAxis, ValueAxis, style_axis
from console.charts.candles import CandleItem, VolumeItem
from console.charts.overlay import Overlay
from console.charts.series import BarSeries
from console.theme import SMALL, font, tokens
from engine.domain.market import NANOSECONDS, Bar, IndicatorValues
from engine.domain.shown_times import shown
from engine.views import FillRow

IN_SIGHT = 140
"""Bars shown when following the newest."""
MARGIN = 16
"""Bars of room to the right of it, where the tag of the last price lies."""
VEIL = "#D9"
"""How much the legend hides of the lines behind it: the alpha before the digits of a colour."""


class Chart(QWidget):
    """`set_bars` for another symbol or timeframe, `update_bars` for what is new. Follows the newest until it is moved."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.series = BarSeries()
        self._following = True
        self._pointed: int | None = None
        self._fills: list[FillRow] = []
        self._graphics = pg.GraphicsLayoutWidget()
        self._graphics.setAccessibleName("price chart")
        self._build()
        self._legend = QLabel(self)
        self._legend.setFont(font(SMALL))
        self._legend.move(10, 6)
        self._legend.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._overlay = QLabel(self)
        self._overlay.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._overlay.setWordWrap(True)
        self._overlay.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._graphics)
        self._overlay.hide()
        for above in (self._legend, self._overlay):
            above.raise_()  # the layout has put the plot over them
        self.restyle()

    def set_bars(self, bars: Sequence[Bar]) -> None:
        self.series.set(bars)
        self._following = True
        self._pointed = None
        for line in (self._cross_x, self._cross_y):
            line.hide()
        self._redraw()

    def update_bars(self, bars: Sequence[Bar]) -> None:
        if self.series.update(bars):
            self._redraw()

    def set_indicators(self, values: Sequence[IndicatorValues]) -> None:
        """Those of the symbol and timeframe in the chart, oldest first."""
        if self.overlay.set_values(values) and len(self.series):
            self._write_legend()

    def show_indicator(self, name: str, shown: bool) -> None:
        """One of `overlay.KINDS`."""
        self.overlay.show(name, shown)
        if len(self.series):
            self._write_legend()

    def set_fills(self, fills: Sequence[FillRow]) -> None:
        """Those of the symbol in the chart."""
        self._fills = list(fills)
        self._draw_marks()

    def say(self, text: str) -> None:
        """A sentence over the chart, such as why there is nothing to see; empty takes it away."""
        if self._overlay.text() != text:
            self._overlay.setText(text)
            self._overlay.setVisible(bool(text))
            self._place_overlay()

    def restyle(self) -> None:
        """Take over the tokens of the theme."""
        t = tokens()
        self._graphics.setBackground(t.surface)
        for axis in (self._time_axis, self._price_axis, self._volume_axis):
            style_axis(axis)
        for line in (self._cross_x, self._cross_y):
            line.setPen(pg.mkPen(t.muted, style=Qt.PenStyle.DotLine))
        self._last.setPen(pg.mkPen(t.accent, style=Qt.PenStyle.DashLine))
        self._last.label.setColor(t.on_accent)
        self._last.label.fill = pg.mkBrush(t.accent)
        self._legend.setStyleSheet(f"background: {t.surface.replace('#', VEIL)};")
        self._overlay.setStyleSheet(
            f"color: {t.text}; background: {t.raised}; border: 1px solid {t.border}; border-radius: 6px; padding: 8px 12px;"
        )
        self._place_overlay()
        self._draw_marks()
        self.overlay.restyle()
        self._candles.update()
        self._volumes.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_overlay()
        self._legend.setMaximumWidth(max(self.width() - 90, 100))

    def _place_overlay(self) -> None:
        """In the middle, as large as its text."""
        self._overlay.setMaximumWidth(max(self.width() - 160, 100))
        self._overlay.adjustSize()
        room = self.rect().center() - self._overlay.rect().center()
        self._overlay.move(room)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hide_cross()

    def _build(self) -> None:
        self._time_axis = BarTimeAxis(self.series)
        self._price_axis, self._volume_axis = ValueAxis(), ValueAxis()
        self._prices = self._graphics.addPlot(row=0, col=0, axisItems={"right": self._price_axis})
        self._volume = self._graphics.addPlot(
            row=1, col=0, axisItems={"right": self._volume_axis, "bottom": self._time_axis}
        )
        self._candles, self._volumes = CandleItem(self.series), VolumeItem(self.series)
        self._prices.addItem(self._candles)
        self.overlay = Overlay(self._prices, self.series)
        self._volume.addItem(self._volumes)
        self._graphics.ci.layout.setRowStretchFactor(0, 4)
        self._graphics.ci.layout.setRowStretchFactor(1, 1)
        self._graphics.ci.layout.setSpacing(0)
        self._graphics.ci.setContentsMargins(4, 4, 4, 4)
        for plot in (self._prices, self._volume):
            plot.hideAxis("left")
            plot.hideButtons()
            plot.showAxis("right")
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(x=True, y=False)
            plot.vb.setAutoVisible(y=True)
            plot.vb.enableAutoRange(axis="y")
            plot.showGrid(x=False, y=plot is self._prices, alpha=0.12)
        self._prices.hideAxis("bottom")
        self._volume.setXLink(self._prices)
        self._volume_axis.setStyle(showValues=False)
        self._marks = pg.ScatterPlotItem(pxMode=True)
        self._prices.addItem(self._marks, ignoreBounds=True)
        self._cross_x = pg.InfiniteLine(angle=90, movable=False)
        self._cross_y = pg.InfiniteLine(angle=0, movable=False)
        self._last = pg.InfiniteLine(
            angle=0,
            movable=False,
            label="{value:,.2f}",
            labelOpts={"position": 0.998, "anchors": [(1, 0.5), (1, 0.5)], "movable": False},
        )
        for line in (self._cross_x, self._cross_y, self._last):
            line.setZValue(10)
            self._prices.addItem(line, ignoreBounds=True)
            line.hide()
        self._graphics.scene().sigMouseMoved.connect(self._move_cross)
        self._prices.vb.sigRangeChangedManually.connect(self._moved_by_hand)

    def _redraw(self) -> None:
        self._candles.changed()
        self._volumes.changed()
        self._draw_marks()
        self.overlay.redraw()
        count = len(self.series)
        if not count:
            self._last.hide()
            self._legend.clear()
            self._legend.hide()
            return
        close = float(self.series.column("close")[-1])
        self._last.show()  # first: a hidden line does not rewrite its label
        self._last.setPos(close)
        self._last.label.setFormat("{value:,.2f}" if abs(close) >= 1 else "{value:,.4f}")
        self._write_legend()
        if self._following:
            self._prices.setXRange(max(count - IN_SIGHT, -1), count + MARGIN, padding=0)
        for plot in (self._prices, self._volume):
            plot.vb.updateAutoRange()

    def _draw_marks(self) -> None:
        """Triangles at the bars in which we traded: up below for bought, down above for sold."""
        spots: list[dict[str, Any]] = []
        if len(self.series) and self._fills:
            first = float(self.series.column("time")[0])
            t = tokens()
            for fill in self._fills:
                time = fill.timestamp / NANOSECONDS
                if time < first:
                    continue
                bought = fill.side == "buy"
                spots.append(
                    {
                        "pos": (self.series.position_of(time), fill.price),
                        "symbol": "t1" if bought else "t",
                        "size": 11,
                        "brush": pg.mkBrush(t.accent if bought else t.warning),
                        "pen": pg.mkPen(t.surface),
                    }
                )
        self._marks.setData(spots)

    def _moved_by_hand(self, *_: object) -> None:
        right = self._prices.vb.viewRange()[0][1]
        self._following = right >= len(self.series)

    def _move_cross(self, place: QPointF) -> None:
        if not (self._prices.sceneBoundingRect().contains(place) and len(self.series)):
            self._hide_cross()
            return
        point = self._prices.vb.mapSceneToView(place)
        self._pointed = int(np.clip(round(point.x()), 0, len(self.series) - 1))
        self._cross_x.setPos(self._pointed)
        self._cross_y.setPos(point.y())
        for line in (self._cross_x, self._cross_y):
            line.show()
        self._write_legend()

    def _hide_cross(self) -> None:
        self._pointed = None
        for line in (self._cross_x, self._cross_y):
            line.hide()
        if len(self.series):
            self._write_legend()

    def _write_legend(self) -> None:
        """The bar under the crosshair, the newest when there is none."""
        position = len(self.series) - 1 if self._pointed is None else min(self._pointed, len(self.series) - 1)
        t = tokens()
        values = {
            name: float(self.series.column(name)[position]) for name in ("open", "high", "low", "close", "volume")
        }
        colour = t.up if values["close"] >= values["open"] else t.down
        at = shown(float(self.series.column("time")[position]))
        parts = [
            f"<span style='color:{t.muted}'>{letter}</span> <span style='color:{colour}'>{format.price(values[name])}</span>"
            for letter, name in (("O", "open"), ("H", "high"), ("L", "low"), ("C", "close"))
        ]
        parts.append(f"<span style='color:{t.muted}'>V</span> {format.compact(values['volume'])}")
        text = f"<span style='color:{t.muted}'>{at:%d %b %H:%M:%S}</span>&nbsp; " + "&nbsp; ".join(parts)
        indicators = self.overlay.words(float(self.series.column("time")[position]))
        self._legend.setText(f"{text}<br>{indicators}" if indicators else text)
        self._legend.adjustSize()
        self._legend.show()
