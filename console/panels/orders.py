"""The orders of the account as a list: exits under what brought them along, changed, cancelled and adopted from there."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QVBoxLayout, QWidget

from console.dialogs.adopt_order import AdoptOrderDialog
from console.dialogs.change_order import ChangeOrderDialog
from console.dialogs.flight import FlightDialog
from console.models.family import FamilyModel
from console.panels.columns import order_columns
from console.tasks import Tasks
from console.theme import SPACE
from console.widgets.layout import button, row
from console.widgets.notices import Notify
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.domain.orders import MANUAL_SLEEVE
from engine.views import OrderRow


class Orders(QWidget):
    def __init__(self, control: EngineControl, tasks: Tasks, notify: Notify) -> None:
        super().__init__()
        self._control = control
        self._tasks = tasks
        self._notify = notify
        model = FamilyModel(control.views.orders, order_columns(), lambda order: order.parent, newest_first=True)
        self.table = TableView(model, "trading.orders", "No order has been placed.")
        self._change = button(
            "Change…", "trading.change", tooltip="Change the selected order's quantity or prices (F2)"
        )
        self._cancel = button("Cancel", "trading.cancel", tooltip="Cancel the selected orders (Del)")
        self._cancel_all = button("Cancel all", "trading.cancel_all", tooltip="Cancel every open order")
        self._change.clicked.connect(lambda: self._change_rows(self.table.rows()))
        self._cancel.clicked.connect(lambda: self._cancel_rows(self.table.rows()))
        self._cancel_all.clicked.connect(
            lambda: tasks.spawn(control.cancel_all_orders(), "cancel all", self._cancel_all)
        )
        self.table.menu_actions = [
            ("Change…", self._change_rows),
            ("Cancel", self._cancel_rows),
            ("Adopt into sleeve…", self._adopt_rows),
            ("How it went…", self._show_flight),
        ]
        self.table.selected.connect(lambda _: self.enable())
        self._keys()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.table)
        layout.addWidget(row(self._change, self._cancel, self._cancel_all, None))

    def enable(self) -> None:
        selected = [order for order in self.table.rows() if order.is_open]
        self._cancel.setEnabled(bool(selected))
        self._change.setEnabled(len(selected) == 1)
        self._cancel_all.setEnabled(any(order.is_open for order in self._control.views.orders))

    def _keys(self) -> None:
        for keys, act in ((Qt.Key.Key_F2, self._change_rows), (Qt.Key.Key_Delete, self._cancel_rows)):
            shortcut = QShortcut(QKeySequence(keys), self.table, context=Qt.ShortcutContext.WidgetShortcut)
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(lambda act=act: act(self.table.rows()))

    def _change_rows(self, rows: Sequence[OrderRow]) -> None:
        selected = [order for order in rows if order.is_open]
        if len(selected) != 1:
            self._notify("Select one working order", "It can then be changed.", "warning")
        elif selected[0].foreign:
            self._notify("The order was placed elsewhere", "Adopt it into a sleeve first.", "warning")
        else:
            ChangeOrderDialog(self, selected[0], self._control, self._tasks, self._notify).open()

    def _cancel_rows(self, rows: Sequence[OrderRow]) -> None:
        for order in rows:
            if order.is_open:
                self._tasks.spawn(self._control.cancel_order(order.client_order_id), f"cancel {order.symbol}")

    def _adopt_rows(self, rows: Sequence[OrderRow]) -> None:
        foreign = [order for order in rows if order.foreign and order.is_open]
        if not foreign:
            self._notify("Nothing to adopt", "Only open orders that were placed elsewhere can be adopted.", "warning")
            return
        sleeves = [MANUAL_SLEEVE, *(bot.sleeve for bot in self._control.views.bots)]
        dialog = AdoptOrderDialog(self, foreign[0], sleeves)
        dialog.accepted.connect(lambda: self._adopt(foreign, dialog.sleeve))
        dialog.open()

    def _adopt(self, orders: Sequence[OrderRow], sleeve: str) -> None:
        async def work() -> None:
            for order in orders:
                await self._control.adopt_order(order.client_order_id, sleeve)
            self._notify(f"{sleeve} has the order", "Its fills are booked there from now on.", "good")

        self._tasks.spawn(work(), f"adopt into {sleeve}")

    def _show_flight(self, rows: Sequence[OrderRow]) -> None:
        key = rows[0].client_order_id
        FlightDialog(key, self._control.flight(key), self).open()
