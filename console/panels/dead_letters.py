"""Events that a part of the engine could not take: delivered again or discarded by hand. Out of sight while there are none."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from console import format
from console.models.table import Column, TableModel
from console.tasks import Tasks
from console.widgets.layout import button, card, label, row
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.views import DeadLetterRow

EXPLANATION = (
    "An event is kept here when the part that needed it failed on it. Deliver it again when the cause is mended."
)


class DeadLetters(QWidget):
    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__()
        self._control = control
        self._tasks = tasks
        self._letters = control.views.dead_letters
        self._table = TableView(
            TableModel(self._letters, _columns()), "errors.letters", "", sort=(0, Qt.SortOrder.DescendingOrder)
        )
        self._deliver = button("Deliver again", "errors.deliver", tooltip="Hand it once more to the part that failed")
        self._discard = button("Discard", "errors.discard", tooltip="Nobody needs it any more")
        self._deliver.clicked.connect(self._deliver_chosen)
        self._discard.clicked.connect(self._discard_chosen)
        self._table.selected.connect(lambda _: self._allow())
        self._count = label("", "heading", "errors.letters.count")
        explanation = label(EXPLANATION, "muted")
        explanation.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        heading = row(self._count, None, self._deliver, self._discard)
        layout.addWidget(card(heading, explanation, self._table, stretch=2))
        self._allow()
        self.hide()

    def refresh(self) -> None:
        self._table.source.refresh()
        self.setVisible(bool(len(self._letters)))
        self._count.setText(f"UNDELIVERED EVENTS ({len(self._letters)})")

    def tick(self) -> None:
        self._table.source.retext()

    def _allow(self) -> None:
        chosen = bool(self._table.rows())
        self._deliver.setEnabled(chosen)
        self._discard.setEnabled(chosen)

    def _deliver_chosen(self) -> None:
        self._tasks.spawn(self._control.deliver_dead_letters(self._keys()), "deliver again", self._deliver)

    def _discard_chosen(self) -> None:
        self._tasks.spawn(self._control.discard_dead_letters(self._keys()), "discard", self._discard)

    def _keys(self) -> list[str]:
        return [letter.key for letter in self._table.rows()]


def _columns() -> list[Column[DeadLetterRow]]:
    return [
        Column("Last", lambda r: format.ago(r.timestamp, time.time_ns()), lambda r: r.timestamp, width=112, right=True,
               tooltip=lambda r: format.exact(r.timestamp)),
        Column("Event", lambda r: r.kind, width=120),
        Column("About", lambda r: r.about, width=280),
        Column("For", lambda r: r.handler, width=170),
        Column("Error", lambda r: r.error, width=280, tooltip=lambda r: r.detail or r.error),
        Column("Tries", lambda r: f"{r.attempts:,}", lambda r: r.attempts, width=58, right=True),
        Column("State", lambda r: r.state, width=90, tone=lambda r: "warning" if r.state == "interrupted" else "",
               tooltip=lambda r: _STATES.get(r.state, r.state)),
    ]  # fmt: skip


_STATES = {
    "waiting": "not delivered",
    "delivering": "being delivered now",
    "interrupted": "Paddock ended while it was delivered: it may have arrived",
}
