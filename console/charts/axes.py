"""Axes: times at the bars' own places, prices with as many digits as their range needs."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pyqtgraph as pg

from console.charts.series import BarSeries
from console.theme import SMALL, font, tokens


class BarTimeAxis(pg.AxisItem):  # type: ignore[misc]
    """The x axis counts bars, so that nights and weekends take no room; the labels say when they were."""

    def __init__(self, series: BarSeries, zone: ZoneInfo | None = None) -> None:
        super().__init__("bottom")
        self._series = series
        self._zone = zone
        style_axis(self)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        times = self._series.column("time")
        if not len(times):
            return ["" for _ in values]
        shown = [times[int(value)] if 0 <= value < len(times) and value == int(value) else None for value in values]
        real = [time for time in shown if time is not None]
        span = (max(real) - min(real)) if len(real) > 1 else 0
        pattern = (
            "%H:%M:%S"
            if 0 < span < 900
            else "%H:%M"
            if span < 86_400 * 1.5
            else "%d %b"
            if span < 86_400 * 300
            else "%b %Y"
        )
        return [
            "" if time is None else datetime.fromtimestamp(time, self._zone).astimezone(self._zone).strftime(pattern)
            for time in shown
        ]


class TimeAxis(pg.AxisItem):  # type: ignore[misc]
    """The x axis in seconds UTC, shown in local time."""

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
                found.append(datetime.fromtimestamp(value).astimezone().strftime(pattern))
            except (ValueError, OverflowError, OSError):
                found.append("")
        return found


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    def __init__(self, side: str = "right", suffix: str = "") -> None:
        super().__init__(side)
        self._suffix = suffix
        self.setWidth(64)
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
