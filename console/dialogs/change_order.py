"""Change a working order: quantity and prices, with what risk says of it before it is sent. One press changes it once."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from console.once import Once
from console.tasks import Tasks
from console.widgets.layout import label, set_tone
from console.widgets.notices import Notify
from console.widgets.ticket_form import read_number
from engine.control import EngineControl, Placed, Verdict
from engine.domain.errors import PaddockError
from engine.domain.orders import OrderChanges
from engine.views import OrderRow

FIELDS: tuple[tuple[str, str, Callable[[OrderRow], float | None]], ...] = (
    ("quantity", "Quantity", lambda order: None if order.role else order.quantity),
    ("limit_price", "Limit price", lambda order: order.limit_price),
    ("stop_price", "Stop price", lambda order: None if order.trail else order.stop_price),
    ("trail", "Trail", lambda order: order.trail),
)
"""What may change, by its name in OrderChanges; a field without a value does not apply to the order."""


class ChangeOrderDialog(QDialog):
    def __init__(self, parent: QWidget, order: OrderRow, control: EngineControl, tasks: Tasks, notify: Notify) -> None:
        super().__init__(parent)
        self.setObjectName("change.dialog")
        self.setWindowTitle("Change the order")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(420)
        self._order = order
        self._control = control
        self._tasks = tasks
        self._notify = notify
        self._once = Once()
        self._before = {name: _plain(value) for name, _, value_of in FIELDS if (value := value_of(order)) is not None}
        self._fields = {name: QLineEdit(text) for name, text in self._before.items()}
        self._verdict = label("", "", "change.verdict")
        self._verdict.setWordWrap(True)
        self._verdict.setMinimumHeight(52)
        self._verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._send = QPushButton()
        self._build()
        self._judge()

    def accept(self) -> None:
        """By the button or by Return; what risk refuses now is not sent."""
        changes, _ = self._read()
        if changes is None or not self._check(changes).allowed or not self._once.begin():
            self._judge()
            return
        self._send.setEnabled(False)
        self._tasks.spawn(self._change(changes), f"change {self._order.symbol}")

    def _build(self) -> None:
        order, environment = self._order, self._control.views.summary.environment.upper()
        heading = label(f"{order.side.upper()} {order.symbol} · {order.role or order.type.replace('_', ' ')}", "figure")
        form = QFormLayout()
        for name, title, _ in FIELDS:
            if (field := self._fields.get(name)) is not None:
                field.setObjectName(f"change.{name}")
                field.setAccessibleName(title)
                field.setAlignment(Qt.AlignmentFlag.AlignRight)
                field.textChanged.connect(lambda _: self._judge())
                form.addRow(label(_titled(title, order), "muted"), field)
        filled = (
            f"{_plain(order.filled_quantity)} are filled; the quantity counts them. " if order.filled_quantity else ""
        )
        note = label(f"{filled}The order works as it is until the venue has taken the change.", "muted")
        note.setWordWrap(True)
        self._send.setText(f"Change · {environment}")
        self._send.setObjectName("change.send")
        self._send.setProperty("kind", "primary")
        self._send.setDefault(True)
        buttons = QDialogButtonBox()
        buttons.addButton(self._send, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton("Leave it", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(heading)
        layout.addLayout(form)
        for widget in (note, self._verdict, buttons):
            layout.addWidget(widget)

    def _read(self) -> tuple[OrderChanges | None, str]:
        """What was changed, or what is wrong with it."""
        found: dict[str, Decimal] = {}
        for name, title, _ in FIELDS:
            field = self._fields.get(name)
            if field is None or field.text().strip() == self._before[name]:
                continue
            number, problem = read_number(field.text(), title.lower())
            if number is None:
                return None, problem
            found[name] = number
        return (OrderChanges(**found), "") if found else (None, "Enter another quantity or price.")

    def _check(self, changes: OrderChanges) -> Verdict:
        return self._control.check_change(self._order.client_order_id, changes)

    def _judge(self) -> None:
        changes, problem = self._read()
        if changes is None:
            allowed, text, tone = False, problem, "muted"
        else:
            verdict = self._check(changes)
            allowed = verdict.allowed
            text = "Risk checks pass." if allowed else f"{verdict.message} {verdict.remedy}"
            tone = "good" if allowed else "warning"
        self._verdict.setText(text)
        set_tone(self._verdict, tone)
        self._send.setEnabled(allowed and self._once.ready())

    async def _change(self, changes: OrderChanges) -> None:
        try:
            placed = await self._control.replace_order(self._order.client_order_id, changes)
        except PaddockError as error:
            self._answer(f"{error.message} {error.remedy}")
            return
        if placed.status in {"rejected", "blocked"}:
            self._answer(f"Not changed: {placed.message} The order works as before.")
            return
        self._notify_of(placed)
        super().accept()

    def _answer(self, text: str) -> None:
        """It was refused; the dialog stays, so that another price can be tried."""
        self._once.end()
        self._verdict.setText(text)
        set_tone(self._verdict, "bad")

    def _notify_of(self, placed: Placed) -> None:
        unknown = placed.status == "unresolved"
        text = placed.message if unknown else "The new order takes its place."
        self._notify(
            f"Change of {self._order.symbol}: {placed.status.replace('_', ' ')}", text, "bad" if unknown else "good"
        )


def _titled(title: str, order: OrderRow) -> str:
    return f"Trail ({order.trail_unit})" if title == "Trail" else title


def _plain(value: float) -> str:
    """As a person types it: 12.5, not 12.50 or 1.25e1."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
