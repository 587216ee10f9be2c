"""Which sleeve is to have an order that was placed elsewhere, and what that means for what it has filled."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QVBoxLayout, QWidget

from console import format
from console.widgets.layout import label
from engine.views import OrderRow


class AdoptOrderDialog(QDialog):
    def __init__(self, parent: QWidget, order: OrderRow, sleeves: Sequence[str]) -> None:
        super().__init__(parent)
        self.setObjectName("adopt.dialog")
        self.setWindowTitle("Adopt into a sleeve")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(420)
        self._sleeve = QComboBox()
        self._sleeve.setObjectName("adopt.sleeve")
        self._sleeve.setAccessibleName("sleeve")
        self._sleeve.addItems(list(sleeves))
        heading = label(f"{order.side.upper()} {format.quantity(order.quantity)} {order.symbol}", "figure")
        text = "From now on its fills are booked to the sleeve, and it can be changed and cancelled like your own."
        if order.filled_quantity:
            text += f" The {format.quantity(order.filled_quantity)} filled before stay under external."
        note = label(f"{text} The choice is written to the journal.", "muted", "adopt.note")
        note.setWordWrap(True)
        form = QFormLayout()
        form.addRow(label("Sleeve", "muted"), self._sleeve)
        buttons = QDialogButtonBox()
        buttons.addButton("Adopt", QDialogButtonBox.ButtonRole.AcceptRole).setObjectName("adopt.accept")
        buttons.addButton("Leave it", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(heading)
        layout.addLayout(form)
        layout.addWidget(note)
        layout.addWidget(buttons)

    @property
    def sleeve(self) -> str:
        return self._sleeve.currentText()
