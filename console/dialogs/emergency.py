"""The progress of an emergency stop, over everything, and what it found when it asked again."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from console.theme import mono
from console.widgets.layout import label, set_tone
from engine.control import EmergencyReport


class EmergencyDialog(QDialog):
    """Stays until the outcome is known: nobody may believe to be flat because a window has closed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("emergency.dialog")
        self.setWindowTitle("Emergency stop")
        self.setMinimumSize(560, 320)
        self.setModal(True)
        self._known = False
        self._text = label("Halting, cancelling, closing…", "figure", "emergency.text")
        self._text.setWordWrap(True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._steps = QPlainTextEdit()
        self._steps.setReadOnly(True)
        self._steps.setFont(mono())
        self._steps.setAccessibleName("steps of the emergency stop")
        buttons = QDialogButtonBox()
        self._close = buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        self._close.setObjectName("emergency.close")
        self._close.setEnabled(False)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (self._text, self._busy, self._steps, buttons):
            layout.addWidget(widget)

    def show_report(self, report: EmergencyReport) -> None:
        """One that is not final is shown with the promise that it goes on; the next one takes its place."""
        text = report.text if report.final else f"{report.text} The cancels go on being sent until it is confirmed."
        self._answer(text, "good" if report.flat else "bad")
        self._busy.setVisible(not report.final)
        self._steps.setPlainText("\n".join(report.steps))

    def show_failure(self, message: str) -> None:
        self._answer(f"NOT CONFIRMED: {message} Check the account at the venue itself.", "bad")

    def let_go(self) -> None:
        """Nothing more will be shown: it is deleted when it is closed, or now if it was."""
        self.finished.connect(self.deleteLater)
        if not self.isVisible():
            self.deleteLater()

    def reject(self) -> None:
        if self._known:
            super().reject()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Ctrl+Shift+Esc is still held when the dialog opens: its repeats must not close it unread.
        if event.key() == Qt.Key.Key_Escape and event.isAutoRepeat():
            return
        super().keyPressEvent(event)

    def _answer(self, text: str, tone: str) -> None:
        self._known = True
        self._busy.hide()
        self._close.setEnabled(True)
        self._text.setText(text)
        set_tone(self._text, tone)
