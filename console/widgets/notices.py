"""Short notices at the lower right: good news goes by itself, bad news stays until it is dismissed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from console.theme import SPACE, tokens
from console.widgets.layout import button

STAYS = 5_000
"""Milliseconds."""
MOST = 4
WIDTH = 360
Notify = Callable[[str, str, str], None]
"""(title, text, tone), as `Notices.show_notice` takes them."""


class Notices(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._holder = parent
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE)
        self.setFixedWidth(WIDTH)
        parent.installEventFilter(self)
        self.hide()

    def show_notice(self, title: str, text: str = "", tone: str = "good") -> None:
        """`tone` is good, warning or bad; what is bad stays."""
        while self._layout.count() >= MOST:
            oldest = self._layout.itemAt(0)
            self._drop(oldest.widget() if oldest is not None else None)
        notice = _Notice(title, text, tone)
        notice.dismiss.clicked.connect(lambda: self._drop(notice))
        self._layout.addWidget(notice)
        notice.show()
        if tone != "bad":
            QTimer.singleShot(STAYS, notice, lambda: self._drop(notice))
        self.show()
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False

    def _drop(self, notice: QWidget | None) -> None:
        if notice is None or self._layout.indexOf(notice) < 0:
            return
        self._layout.removeWidget(notice)
        notice.hide()
        notice.deleteLater()
        self.setVisible(self._layout.count() > 0)
        self._place()

    def _place(self) -> None:
        # Wrapped lines have a height only for a width, which adjustSize() does not ask for.
        self._layout.activate()
        self.resize(WIDTH, self._layout.heightForWidth(WIDTH))
        self.move(self._holder.width() - WIDTH - 2 * SPACE, self._holder.height() - self.height() - 5 * SPACE)
        self.raise_()


class _Notice(QFrame):
    def __init__(self, title: str, text: str, tone: str) -> None:
        super().__init__()
        t = tokens()
        self.setObjectName("notice")
        self.setStyleSheet(
            f"QFrame#notice {{ background: {t.raised}; border: 1px solid {t.border};"
            f" border-left: 3px solid {t.state(tone)}; border-radius: 6px; }}"
        )
        self.dismiss = button("✕", "notice.dismiss", "flat", "Dismiss")
        words = QVBoxLayout()
        heading = QLabel(title)
        heading.setStyleSheet("font-weight: 600;")
        for one in (heading, QLabel(text)):
            one.setWordWrap(True)
            one.setTextFormat(Qt.TextFormat.PlainText)
            if one.text():
                words.addWidget(one)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE + 4, SPACE, SPACE, SPACE)
        layout.addLayout(words, 1)
        layout.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
