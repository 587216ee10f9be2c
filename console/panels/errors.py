"""Errors & Alerts: groups of errors and warnings of every process on the left, the chosen one in full on the right,
and below them, when there are some, the events that nobody could take.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QPlainTextEdit

from console import format
from console.models.table import Column, TableModel
from console.panels.base import Panel
from console.panels.dead_letters import DeadLetters
from console.tasks import Tasks
from console.theme import mono
from console.widgets.layout import button, card, label, row, splitter
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.domain.events import Severity
from engine.views import ErrorRow

TONES = {Severity.INFO: "muted", Severity.WARNING: "warning", Severity.ERROR: "bad", Severity.CRITICAL: "bad"}
ICONS = {Severity.INFO: "●", Severity.WARNING: "▲", Severity.ERROR: "✕", Severity.CRITICAL: "✕"}
STANDING = {"open", "regressed"}


class Errors(Panel):
    title = "Errors && Alerts"
    name = "errors"

    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__(control, tasks)
        self._table = TableView(
            TableModel(self.views.errors, _columns()),
            "errors.table",
            "No error and no warning has been recorded.",
            sort=(5, Qt.SortOrder.DescendingOrder),
        )
        self._all = QCheckBox("show resolved and muted")
        self._all.toggled.connect(lambda _: self._narrow())
        self._count = label("", "muted")
        self._message = label("", "", "errors.message")
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._remedy = label("", "muted", "errors.remedy")
        self._remedy.setWordWrap(True)
        self._facts = label("", "muted")
        self._facts.setWordWrap(True)
        self._detail = QPlainTextEdit()
        self._detail.setReadOnly(True)
        self._detail.setFont(mono())
        self._detail.setPlaceholderText("No traceback and no log lines belong to it.")
        self._resolve = button("Resolve", "errors.resolve", tooltip="Done with; it is marked when it comes back")
        self._mute = button("Mute", "errors.mute", tooltip="Count it and stay quiet")
        self._resolve.clicked.connect(lambda: self._mark(control.resolve_error))
        self._mute.clicked.connect(lambda: self._mark(control.mute_error))
        self._table.selected.connect(self._show)
        left = card(row(self._count, None, self._all), self._table, stretch=1)
        right = card(
            self._message, self._remedy, self._facts, row(self._resolve, self._mute, None), self._detail, stretch=4
        )
        self._letters = DeadLetters(control, tasks)
        self.body.addWidget(splitter(left, right, sizes=[760, 460], name="errors.splitter"), 3)
        self.body.addWidget(self._letters, 2)
        self._narrow()
        self._show(None)

    def refresh(self) -> None:
        self._table.source.refresh()
        self._letters.refresh()
        if self._table.current_row() is None:
            self._table.select_where(lambda error: True)

    def open_error(self, fingerprint: str) -> None:
        """Choose that group, also when it is resolved or muted."""

        def fits(error: ErrorRow) -> bool:
            return error.fingerprint == fingerprint

        self._table.source.refresh()
        if not self._table.select_where(fits):
            self._all.setChecked(True)
            self._table.select_where(fits)

    def tick(self) -> None:
        self._table.source.retext()
        self._letters.tick()
        rows = list(self.views.errors)
        standing = [error for error in rows if error.state in STANDING]
        self._count.setText(f"{len(standing)} open · {len(rows) - len(standing)} resolved or muted")
        self._show(self._table.current_row())

    def _narrow(self) -> None:
        shown = None if self._all.isChecked() else lambda error: error.state in STANDING
        self._table.filtered.accept_only(shown)

    def _mark(self, act: Callable[[str], None]) -> None:
        for error in self._table.rows():
            act(error.fingerprint)
        self._table.source.refresh()
        self._table.filtered.invalidate()

    def _show(self, error: ErrorRow | None) -> None:
        for one in (self._resolve, self._mute):
            one.setEnabled(error is not None)
        if error is None:
            self._message.setText("Choose an entry to see it in full.")
            for widget in (self._remedy, self._facts):
                widget.setText("")
            self._detail.clear()
            return
        self._message.setText(error.message)
        self._remedy.setText(f"→ {error.remedy}" if error.remedy else "")
        self._facts.setText(
            f"{error.severity.value} · {error.category} · {error.component} · {error.state} · {error.count} × · "
            f"first {format.exact(error.first_seen)} · last {format.exact(error.last_seen)}"
        )
        self._mute.setText("Unmute" if error.state == "muted" else "Mute")
        if self._detail.toPlainText() != error.detail:
            self._detail.setPlainText(error.detail)


def _columns() -> list[Column[ErrorRow]]:
    return [
        Column("", lambda r: ICONS[r.severity], lambda r: list(Severity).index(r.severity), width=40,
               tone=lambda r: TONES[r.severity], tooltip=lambda r: r.severity.value),
        Column("Where", lambda r: r.component, width=110),
        Column("What", lambda r: r.message.splitlines()[0] if r.message else "", width=290),
        Column("Kind", lambda r: r.category, width=70),
        Column("Count", lambda r: f"{r.count:,}", lambda r: r.count, width=58, right=True),
        Column("Last", lambda r: format.ago(r.last_seen, time.time_ns()), lambda r: r.last_seen, width=112, right=True,
               tooltip=lambda r: format.exact(r.last_seen)),
        Column("State", lambda r: r.state, width=80, tone=lambda r: "bad" if r.state == "regressed" else ""),
    ]  # fmt: skip
