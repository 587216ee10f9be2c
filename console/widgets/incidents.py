"""Incident cards: each end of a process that nobody asked for, with its probable cause, last words and figures."""

from __future__ import annotations

import time

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QVBoxLayout

from console import format
from console.models.table import Column, TableModel
from console.theme import mono
from console.widgets.figures import Figures
from console.widgets.layout import button, label, row, splitter
from console.widgets.table import TableView
from engine.tables import Table
from engine.views import IncidentRow


class Incidents(QFrame):
    """`error_wanted` names the group among the errors that the shown incident belongs to, by its fingerprint."""

    error_wanted = Signal(str)

    def __init__(self, table: Table[IncidentRow]) -> None:
        super().__init__()
        self._of = ""
        self._list = TableView(
            TableModel(table, _columns(), newest_first=True),
            "processes.incidents",
            "No process has ended unasked. If one does, its last words and its probable cause are here.",
        )
        self._list.selected.connect(self._show)
        self._cause = label("", "heading", "processes.incident.cause")
        self._cause.setWordWrap(True)
        self._remedy = label("", "muted")
        self._remedy.setWordWrap(True)
        self._error = button("Show the error", "processes.incident.error", "flat", "Its group under Errors & Alerts")
        self._error.clicked.connect(self._want_error)
        self._figures = Figures()
        self._tail = QPlainTextEdit()
        self._tail.setReadOnly(True)
        self._tail.setFont(mono())
        self._tail.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._tail.setAccessibleName("last lines before the end")
        self._tail.setPlaceholderText("It said nothing.")
        self._card = QFrame()
        inner = QVBoxLayout(self._card)
        inner.setContentsMargins(0, 0, 0, 0)
        for widget in (self._cause, self._remedy, row(self._error, None), self._figures):
            inner.addWidget(widget)
        inner.addWidget(self._tail, 1)
        self._card.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(
            splitter(self._list, self._card, sizes=[160, 300], vertical=True, name="processes.incidents.split")
        )

    def count(self) -> int:
        return self._list.filtered.rowCount()

    def only(self, process: str) -> None:
        """Show those of one process; of all for an empty name."""
        if process != self._of:
            self._of = process
            self._list.filtered.accept_only((lambda row: row.process == process) if process else None)

    def refresh(self) -> None:
        """The newest card is open until another is chosen: who comes here asks what happened just now."""
        self._list.source.refresh()
        if self._list.current_row() is None:
            self._list.select_where(lambda incident: True)

    def tick(self) -> None:
        self._list.source.retext()

    def restyle(self) -> None:
        self._figures.update()

    def _show(self, incident: IncidentRow | None) -> None:
        self._card.setVisible(incident is not None)
        if incident is None:
            return
        self._cause.setText(incident.cause or incident.ending)
        left = f"{incident.restarts_left} restarts left" if incident.restarts_left else "no restart is left"
        lived = f"It lived {format.duration(incident.lived_s)}; {left}."
        self._remedy.setText(" ".join(text for text in (incident.remedy, lived) if text))
        self._error.setVisible(bool(incident.fingerprint))
        self._figures.show_samples(incident.history)
        self._tail.setPlainText("\n".join(incident.tail))
        bar = self._tail.verticalScrollBar()
        bar.setValue(bar.maximum())

    def _want_error(self) -> None:
        incident = self._list.current_row()
        if incident is not None:
            self.error_wanted.emit(incident.fingerprint)


def _columns() -> list[Column[IncidentRow]]:
    return [
        Column("When", lambda r: format.ago(r.timestamp, time.time_ns()), lambda r: r.timestamp, width=100,
               tooltip=lambda r: format.exact(r.timestamp)),
        Column("Process", lambda r: r.process, width=96),
        Column("Kind", lambda r: r.kind, width=80, tone=lambda r: "warning" if r.kind == "limit" else "bad"),
        Column("Ending", lambda r: r.ending, width=100),
    ]  # fmt: skip
