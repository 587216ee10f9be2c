"""How many feed workers share the symbols: by load or as a person says, and every decision with what it was based on."""

from __future__ import annotations

import time

from PySide6.QtWidgets import QComboBox, QFrame, QVBoxLayout

from console import format
from console.models.table import Column, TableModel
from console.tasks import Tasks
from console.theme import SPACE
from console.widgets.layout import label, row
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.views import ScalingRow


class Scaling(QFrame):
    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__()
        self._control = control
        self._tasks = tasks
        self._count = QComboBox()
        self._count.setObjectName("processes.feeds")
        self._count.setAccessibleName("feed workers")
        self._count.activated.connect(self._choose)
        self._why = label("", "muted")
        self._why.setWordWrap(True)
        self._needed = label("")
        self._needed.setObjectName("processes.capacity")
        self._plan = label("", "muted")
        self._plan.setWordWrap(True)
        self._list = TableView(
            TableModel(control.views.scaling, _columns(), newest_first=True),
            "processes.scaling",
            "The number of feed workers has not changed. Each change stands here with its reason.",
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.addWidget(row(label("Feed workers"), self._count, self._needed, None))
        layout.addWidget(self._plan)
        layout.addWidget(self._why)
        layout.addWidget(self._list, 1)
        self.tick()

    def refresh(self) -> None:
        self._list.source.refresh()

    def tick(self) -> None:
        summary = self._control.views.summary
        if self._count.count() != summary.feeds_most + 1:
            self._count.clear()
            self._count.addItem("By load")
            self._count.addItems([str(count) for count in range(1, summary.feeds_most + 1)])
        if not self._count.view().isVisible():
            self._count.setCurrentIndex(summary.feeds_chosen)
        self._count.setEnabled(summary.feeds_most > 1)
        alone = "Alpaca gives an account one connection to each data stream, so one worker reads it. [scaling] most changes that."
        self._why.setText(alone)
        self._why.setVisible(summary.feeds_most == 1)
        self._show_plan()
        self._list.source.retext()

    def _show_plan(self) -> None:
        capacity = self._control.views.capacity
        if capacity is None:
            self._needed.setText("")
            self._plan.setText("What the load needs is told once messages were measured.")
            return
        guess = " (a guess)" if capacity.is_guess else ""
        self._needed.setText(f"{capacity.now} needed now, {capacity.peak} at the peak{guess}")
        self._plan.setText(capacity.reason)

    def _choose(self, count: int) -> None:
        async def choose() -> None:
            self._control.scale_feeds(count)

        self._tasks.spawn(choose(), "feed workers")


def _columns() -> list[Column[ScalingRow]]:
    return [
        Column("When", lambda r: format.ago(r.timestamp, time.time_ns()), lambda r: r.timestamp, width=100,
               tooltip=lambda r: format.exact(r.timestamp)),
        Column("Feeds", lambda r: f"{r.before} → {r.after}", lambda r: r.after, width=56),
        Column("Reason", lambda r: r.reason, width=140, tooltip=lambda r: f"{r.reason}\n{r.loads}"),
        Column("Outcome", lambda r: r.outcome, width=90, tooltip=lambda r: r.outcome),
    ]  # fmt: skip
