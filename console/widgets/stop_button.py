"""The emergency stop: held for one second, so that no slip of the hand flattens an account."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QEvent, QObject, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from console.theme import font, tokens

HOLD = 1_000
"""Milliseconds."""
HOLD_KEYS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


class StopButton(QPushButton):
    """`held` is emitted once it was held down long enough, by mouse, space bar or shortcut."""

    held = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("■ STOP", parent)
        self.setObjectName("emergency.stop")
        self.setAccessibleName("Emergency stop: hold for one second")
        self.setToolTip(
            "Emergency stop: hold for one second, or hold Ctrl+Shift+Esc.\nCancels all orders and closes all positions."
        )
        self.setFixedSize(92, 28)
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._check)
        self.pressed.connect(self.begin)
        self.released.connect(self.abandon)

    def listen_to_keys(self) -> None:
        """Ctrl+Shift+Esc held anywhere in the program counts like the button held."""
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() not in {QEvent.Type.KeyPress, QEvent.Type.KeyRelease}:
            return False
        assert isinstance(event, QKeyEvent)
        if event.key() != Qt.Key.Key_Escape or event.isAutoRepeat():
            return False
        if event.type() == QEvent.Type.KeyRelease:
            self.abandon()
        elif event.modifiers() == HOLD_KEYS and self.isEnabled() and not self._since.isValid():
            self.begin()
        return False

    def begin(self) -> None:
        self._since.start()
        self._timer.start()

    def abandon(self) -> None:
        self._timer.stop()
        self._since.invalidate()
        self.update()

    def _check(self) -> None:
        self.update()
        if self._since.isValid() and self._since.elapsed() >= HOLD:
            self.abandon()
            self.held.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        t = tokens()
        share = min(self._since.elapsed() / HOLD, 1.0) if self._since.isValid() else 0.0
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QColor(t.bad))
        painter.setBrush(QColor(t.surface))
        painter.drawRoundedRect(area, 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.bad))
        painter.drawRoundedRect(QRectF(area.x(), area.y(), area.width() * share, area.height()), 6, 6)
        painter.setFont(font(weight=font().Weight.DemiBold))
        painter.setPen(QColor(t.on_accent if share > 0.5 else t.bad))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), self.text())
        if self.hasFocus():
            painter.setPen(QColor(t.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area, 6, 6)
