"""The figures of one process over the last hour: CPU, memory and work, each a line with what it is now and its highest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from console import format
from console.theme import SMALL, SPACE, font, tokens
from engine.views import ProcessSample

LINE = 44
"""Pixels of one figure."""
_WORDS = 108


class Figures(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("figures of the process over the last hour")
        self.setMinimumHeight(3 * LINE)
        self._samples: Sequence[ProcessSample] = ()

    def sizeHint(self) -> QSize:
        return QSize(360, 3 * LINE)

    def show_samples(self, samples: Sequence[ProcessSample]) -> None:
        """Oldest first; drawn by their times, so that a gap is seen as one."""
        self._samples = samples
        self.setToolTip(_span(samples))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(SMALL))
        rows: tuple[tuple[str, list[float], Callable[[float], str]], ...] = (
            ("CPU", [sample.cpu_percent for sample in self._samples], lambda value: f"{value:.0f} %"),
            ("Memory", [float(sample.rss_bytes) for sample in self._samples], format.size),
            ("Work", [sample.rate for sample in self._samples], lambda value: f"{format.compact(value)}/s"),
        )
        for place, (name, figures, words) in enumerate(rows):
            room = QRect(0, place * LINE, self.width(), LINE - SPACE // 2)
            said = f"{words(figures[-1])}\nmost {words(max(figures))}" if figures else format.DASH
            painter.setPen(QColor(tokens().muted))
            painter.drawText(
                room.adjusted(0, 2, 0, 0), int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop), name
            )
            painter.setPen(QColor(tokens().text))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), said)
            self._draw(painter, room.adjusted(58, 4, -_WORDS + 16, -4), figures)
        painter.end()

    def _draw(self, painter: QPainter, room: QRect, figures: Sequence[float]) -> None:
        painter.setPen(QPen(QColor(tokens().grid), 1.0))
        painter.drawLine(room.bottomLeft(), room.bottomRight())
        if len(figures) < 2:
            return
        painter.setPen(QPen(QColor(tokens().accent), 1.2))
        painter.drawPolyline(QPolygonF(self._points(room, figures)))

    def _points(self, room: QRect, figures: Sequence[float]) -> list[QPointF]:
        first, last = self._samples[0].at, self._samples[-1].at
        wide, top = max(last - first, 1e-9), max(max(figures), 1e-9)
        return [
            QPointF(
                room.left() + (sample.at - first) / wide * room.width(),
                room.bottom() - max(figure, 0.0) / top * room.height(),
            )
            for sample, figure in zip(self._samples, figures, strict=True)
        ]


def _span(samples: Sequence[ProcessSample]) -> str:
    return f"the last {format.duration(samples[-1].at - samples[0].at)}" if len(samples) > 1 else ""
