"""The tail of one process's log: filtered by level and text, paused, copied; it follows only while at the bottom."""

from __future__ import annotations

import itertools

from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QComboBox, QFrame, QLineEdit, QPlainTextEdit, QVBoxLayout

from console import format
from console.theme import SPACE, mono, tokens
from console.widgets.layout import button, label, row
from engine.control import EngineControl, LogLine

LINES = 2_000
LEVELS = {
    "All": frozenset[str](),
    "Warnings": frozenset({"warning", "error", "critical"}),
    "Errors": frozenset({"error", "critical"}),
}


class LogTail(QFrame):
    def __init__(self, control: EngineControl) -> None:
        super().__init__()
        self.setProperty("card", True)
        self._control = control
        self._name = ""
        self._seen = 0
        self._title = label("LOG", "heading")
        self._level = QComboBox()
        self._level.addItems(list(LEVELS))
        self._level.setAccessibleName("log level")
        self._filter = QLineEdit()
        self._filter.setPlaceholderText("filter")
        self._filter.setClearButtonEnabled(True)
        self._pause = button("Pause", "processes.log.pause", "flat", "Keep the log still while you read")
        self._pause.setCheckable(True)
        self._text = QPlainTextEdit()
        self._text.setObjectName("processes.log")
        self._text.setAccessibleName("log of the selected process")
        self._text.setReadOnly(True)
        self._text.setMaximumBlockCount(LINES)
        self._text.setFont(mono())
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setPlaceholderText("Nothing has been said yet.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.addWidget(row(self._title, None, self._level, self._filter, self._pause))
        layout.addWidget(self._text, 1)
        self._level.currentIndexChanged.connect(self._again)
        self._filter.textChanged.connect(self._again)

    def follow(self, name: str) -> None:
        """Show another process's log; an empty name shows none."""
        if name != self._name:
            self._name = name
            self._title.setText(f"LOG OF {name.upper()}" if name else "LOG")
            self._again()

    def refresh(self) -> None:
        if not self._name or self._pause.isChecked():
            return
        lines = self._control.process_log(self._name, self._seen)
        if not lines:
            return
        self._seen = lines[-1].number
        shown = [line for line in lines if self._is_wanted(line)][-LINES:]
        bar = self._text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        cursor = QTextCursor(self._text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        for level, together in itertools.groupby(shown, key=lambda line: line.level):
            if not cursor.atStart():
                cursor.insertBlock()
            said = (f"{format.clock(line.timestamp)} {line.logger}: {line.text}" for line in together)
            cursor.insertText("\n".join(said), _format(level))
        cursor.endEditBlock()
        if at_end:
            bar.setValue(bar.maximum())

    def restyle(self) -> None:
        self._again()

    def _again(self) -> None:
        self._seen = 0
        self._text.clear()

    def _is_wanted(self, line: LogLine) -> bool:
        levels = LEVELS[self._level.currentText()]
        text = self._filter.text().lower()
        return (not levels or line.level in levels) and (not text or text in f"{line.logger} {line.text}".lower())


def _format(level: str) -> QTextCharFormat:
    t = tokens()
    colours = {"warning": t.warning, "error": t.bad, "critical": t.bad, "debug": t.muted}
    found = QTextCharFormat()
    found.setForeground(QColor(colours.get(level, t.text)))
    return found
