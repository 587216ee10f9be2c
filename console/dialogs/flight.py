"""How one order went, step by step: what led to it, what the rules said, and how long each hop took."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from console.format import exact
from console.theme import mono
from console.widgets.layout import label
from engine.control import Hop

TITLES = ("Time", "Since the step before", "Step", "What was seen")


class FlightDialog(QDialog):
    def __init__(self, client_order_id: str, hops: list[Hop], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("flight.dialog")
        self.setWindowTitle("How this order went")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(900, 520)
        heading = label(client_order_id, "figure", "flight.order")
        heading.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        whole = (hops[-1].monotonic - hops[0].monotonic) * 1000 if hops else 0.0
        said = (
            f"{len(hops)} steps in {whole:,.1f} ms"
            if hops
            else "It was placed in an earlier run; see `paddock journal`."
        )
        buttons = QDialogButtonBox()
        buttons.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (heading, label(said, "muted", "flight.whole"), _table(hops), buttons):
            layout.addWidget(widget)


def _table(hops: list[Hop]) -> QTableWidget:
    table = QTableWidget(len(hops), len(TITLES))
    table.setObjectName("flight.steps")
    table.setAccessibleName("steps of the order")
    table.setHorizontalHeaderLabels(list(TITLES))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    for row, hop in enumerate(hops):
        before = hops[row - 1].monotonic if row else hop.monotonic
        cells = (exact(hop.at), f"{(hop.monotonic - before) * 1000:,.2f} ms", hop.name, hop.detail)
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if column < 2:
                item.setFont(mono())
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(row, column, item)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)
    # A verdict names all that it looked at, over as many lines as that takes.
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    return table
