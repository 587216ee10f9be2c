"""A line of figures over time, small enough for a cell."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect


def points(figures: Sequence[float], room: QRect) -> list[QPointF]:
    """From left to right in `room`; the bottom is 0, the top the highest figure."""
    top = max(max(figures), 1e-9)
    step = room.width() / max(len(figures) - 1, 1)
    return [
        QPointF(room.left() + place * step, room.bottom() - max(figure, 0.0) / top * room.height())
        for place, figure in enumerate(figures)
    ]
