"""A line of figures over time, small enough for a cell."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF
from PySide6.QtGui import QPolygonF


def line(figures: Sequence[float]) -> QPolygonF:
    """From left to right in a square of 1 by 1, to be stretched; its bottom is 0, its top the highest figure."""
    top = max(max(figures), 1e-9)
    step = 1 / max(len(figures) - 1, 1)
    return QPolygonF([QPointF(place * step, 1 - max(figure, 0.0) / top) for place, figure in enumerate(figures)])
