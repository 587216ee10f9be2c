"""A veil over the window that says what is going on and keeps clicks away, such as while the engine stops."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from console.theme import FIGURE, font, tokens

OPACITY = 200
"""Of 255."""


class Cover(QWidget):
    def __init__(self, holder: QWidget) -> None:
        super().__init__(holder)
        self.setObjectName("cover")
        self._text = ""
        self._holder = holder
        holder.installEventFilter(self)
        self.hide()

    def say(self, text: str) -> None:
        """Lie over everything from now on."""
        self._text = text
        self.setAccessibleName(text)
        self.setGeometry(self._holder.rect())
        self.show()
        self.raise_()
        # Keys go where the focus is; a held Return must not place an order while the engine stops.
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._holder.rect())
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        veil = QColor(tokens().background)
        veil.setAlpha(OPACITY)
        painter.fillRect(self.rect(), veil)
        painter.setFont(font(FIGURE, font().Weight.DemiBold))
        painter.setPen(QColor(tokens().text))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._text)
