"""Axes: times at the bars' own places, prices with as many digits as their range needs."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QFontMetrics

from console.charts.series import BarSeries
from console.theme import SMALL, font, tokens
from engine.domain.shown_times import shown

DAY = 86_400.0
INTERVALS = (
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0,
    DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY,
)  # fmt: skip
"""Seconds between labels."""
LABEL_WIDTH = 90
"""Pixels that a label has to itself."""
LONGEST = "-999,999.99"
"""The longest value; one that does not fit is not written at all."""
ROOM = 8
"""Pixels between a value and its axis."""


class BarTimeAxis(pg.AxisItem):  # type: ignore[misc]
    """The x axis counts bars, so that nights and weekends take no room; the labels say when they were.

    They stand at the first bar of each round interval, and a new day is named by its date.
    """

    def __init__(self, series: BarSeries) -> None:
        super().__init__("bottom")
        self._series = series
        self._texts: dict[float, str] = {}
        style_axis(self)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N803
        first, end = max(int(minVal), 0), min(int(maxVal) + 1, len(self._series))
        self._texts = self._labels(first, end, max(int(size / LABEL_WIDTH), 2)) if end > first else {}
        return [(1.0, sorted(self._texts))]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [self._texts.get(float(value), "") for value in values]

    def _labels(self, first: int, end: int, most: int) -> dict[float, str]:
        times = self._series.column("time")[first:end]
        local = times + self._offset(float(times[-1]))
        days = np.floor(local / DAY)
        for interval in INTERVALS:
            numbers = np.floor(local / interval)
            # The first bar in sight rarely begins an interval, so it carries no label.
            starts = np.flatnonzero(np.diff(numbers)) + 1
            if len(starts) <= most:
                break
        starts = starts[:: max(math.ceil(len(starts) / most), 1)]
        return {float(first + at): self._text(float(times[at]), interval, days[at] != days[at - 1]) for at in starts}

    def _text(self, time: float, interval: float, new_day: bool) -> str:
        at = shown(time)
        if new_day or interval >= DAY:
            return f"{at:%b %Y}" if interval > 20 * DAY else f"{at:%d %b}"
        return f"{at:%H:%M:%S}" if interval < 60 else f"{at:%H:%M}"

    def _offset(self, time: float) -> float:
        """Seconds east of Greenwich."""
        offset = shown(time).utcoffset()
        return offset.total_seconds() if offset is not None else 0.0


class TimeAxis(pg.AxisItem):  # type: ignore[misc]
    """The x axis in seconds UTC, shown as the person reads times."""

    def __init__(self) -> None:
        super().__init__("bottom")
        style_axis(self)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        pattern = (
            "%H:%M:%S"
            if spacing < 60
            else "%H:%M"
            if spacing < 43_200
            else "%d %b"
            if spacing < 86_400 * 120
            else "%b %Y"
        )
        found: list[str] = []
        for value in values:
            try:
                found.append(shown(value).strftime(pattern))
            except (ValueError, OverflowError, OSError):
                found.append("")
        return found


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    def __init__(self, side: str = "right", suffix: str = "") -> None:
        super().__init__(side)
        self._suffix = suffix
        self.setWidth(QFontMetrics(font(SMALL)).horizontalAdvance(LONGEST) + ROOM)
        style_axis(self)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        digits = 0 if spacing >= 1 else 2 if spacing >= 0.01 else 4
        if max((abs(value) for value in values), default=0) >= 1e6:
            return [f"{value / 1e6:,.1f} M{self._suffix}" for value in values]
        return [f"{value:,.{digits}f}{self._suffix}" for value in values]


def style_axis(axis: pg.AxisItem) -> None:
    axis.setPen(pg.mkPen(tokens().border))
    axis.setTextPen(pg.mkPen(tokens().muted))
    axis.setStyle(tickFont=font(SMALL), tickLength=0)
