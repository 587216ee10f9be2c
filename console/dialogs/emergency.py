"""The progress of an emergency stop, over everything, and what it found when it asked again."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from console.theme import mono
from console.widgets.layout import label, set_tone
from engine.control import EmergencyReport


class EmergencyDialog(QDialog):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("emergency.dialog")
        self.setWindowTitle("Emergency stop")
        self.setMinimumSize(560, 320)
        self.setModal(True)
        self._text = label("Halting, cancelling, closing…", "figure", "emergency.text")
        self._text.setWordWrap(True)
        self._busy = QProgressBar()
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._steps = QPlainTextEdit()
        self._steps.setReadOnly(True)
        self._steps.setFont(mono())
        self._buttons = QDialogButtonBox()
        self._buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (self._text, self._busy, self._steps, self._buttons):
            layout.addWidget(widget)

    def show_report(self, report: EmergencyReport) -> None:
        self._busy.hide()
        self._text.setText(report.text)
        set_tone(self._text, "good" if report.flat else "bad")
        self._steps.setPlainText("\n".join(report.steps))

    def show_failure(self, message: str) -> None:
        self._busy.hide()
        self._text.setText(f"NOT CONFIRMED: {message} Check the account at the venue itself.")
        set_tone(self._text, "bad")
