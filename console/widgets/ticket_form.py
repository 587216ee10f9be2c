"""What is written in the order ticket: the fields that each kind of order has, read as the request that they make."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QFormLayout, QLineEdit, QWidget

from console import format
from console.widgets.layout import label
from engine.domain.market import is_crypto
from engine.domain.orders import OrderRequest, OrderType, Side, TimeInForce

EXITS = ("take_profit", "stop_loss")


class Kind(NamedTuple):
    """`needs` and `may` name fields: those without which there is no order, and those that can stay empty."""

    type: OrderType
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = EXITS


TRAILING, CLOSING = "trailing stop", "exits (OCO)"
KINDS = {
    "market": Kind(OrderType.MARKET),
    "limit": Kind(OrderType.LIMIT, ("limit",)),
    "stop": Kind(OrderType.STOP, ("stop",)),
    "stop limit": Kind(OrderType.STOP_LIMIT, ("stop", "limit")),
    TRAILING: Kind(OrderType.TRAILING_STOP, ("stop",), ()),
    CLOSING: Kind(OrderType.LIMIT, EXITS, ()),
}
FORCES = {
    "day": (TimeInForce.DAY, False),
    "day + extended": (TimeInForce.DAY, True),
    "gtc": (TimeInForce.GTC, False),
    "ioc": (TimeInForce.IOC, False),
    "fok": (TimeInForce.FOK, False),
    "at the open": (TimeInForce.OPG, False),
    "at the close": (TimeInForce.CLS, False),
}
"""With whether the order works outside of regular hours, too."""
TITLES = {
    "quantity": ("Quantity", "quantity"),
    "limit": ("Limit price", "limit price"),
    "stop": ("Stop or trail", "stop price"),
    "take_profit": ("Take profit", "take-profit price"),
    "stop_loss": ("Stop loss", "stop-loss price"),
}
"""The row's title, and how a sentence names what is written there."""


class TicketForm(QWidget):
    """`changed` with every keystroke and choice; `entered` when Return is pressed in a field, not while it is held."""

    changed = Signal()
    entered = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._kind, self._force = QComboBox(), QComboBox()
        self._kind.setObjectName("ticket.type")
        self._kind.addItems(list(KINDS))
        self._force.setObjectName("ticket.tif")
        self._force.addItems(list(FORCES))
        self._fields = {name: QLineEdit() for name in TITLES}
        self._fields["quantity"].setText("1")
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow(label("Type", "muted"), self._kind)
        for name, field in self._fields.items():
            field.setObjectName(f"ticket.{name}")
            field.setAlignment(Qt.AlignmentFlag.AlignRight)
            field.textChanged.connect(lambda _: self.changed.emit())
            field.returnPressed.connect(lambda: self.entered.emit())
            field.installEventFilter(self)
            layout.addRow(label(TITLES[name][0], "muted"), field)
        layout.insertRow(4, label("Time in force", "muted"), self._force)
        self._kind.currentTextChanged.connect(self._choose)
        self._force.currentTextChanged.connect(lambda _: self.changed.emit())
        self._choose(self._kind.currentText())

    def begin(self, symbol: str) -> None:
        """Prices of another symbol are forgotten."""
        for name, field in self._fields.items():
            if name != "quantity":
                field.clear()
        self._force.setCurrentText("gtc" if is_crypto(symbol) else "day")

    def set_limit(self, price: float) -> None:
        self._kind.setCurrentText("limit")
        self._fields["limit"].setText(format.price(price).replace(",", ""))

    def read(self, symbol: str, side: Side) -> tuple[OrderRequest | None, str]:
        """The order as it stands in the form, or what is wrong with it."""
        name = self._kind.currentText()
        kind, (force, extended) = KINDS[name], FORCES[self._force.currentText()]
        found, wrong = self._numbers(kind, name == TRAILING)
        if wrong:
            return None, wrong
        if name == CLOSING:
            found |= {"limit_price": found.pop("take_profit"), "one_cancels_other": True}
        request = OrderRequest(
            symbol=symbol, side=side, type=kind.type, time_in_force=force, extended_hours=extended, **found
        )
        return request, ""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A key that is held down is pressed once."""
        keys = {Qt.Key.Key_Return, Qt.Key.Key_Enter}
        return isinstance(event, QKeyEvent) and event.isAutoRepeat() and event.key() in keys

    def _choose(self, name: str) -> None:
        kind = KINDS[name]
        for field, edit in self._fields.items():
            applies = field == "quantity" or field in kind.needs + kind.may
            edit.setEnabled(applies)
            edit.setPlaceholderText("none" if field in kind.may else "price" if applies else format.DASH)
        if name == TRAILING:
            self._fields["stop"].setPlaceholderText("0.50 or 1 %")
        self.changed.emit()

    def _numbers(self, kind: Kind, trails: bool) -> tuple[dict[str, Any], str]:
        """By their names in OrderRequest, and what is wrong first."""
        found: dict[str, Any] = {}
        wrong = ""
        for name in ("quantity", *kind.needs, *kind.may):
            field = self._fields[name]
            text, trail = field.text().strip(), trails and name == "stop"
            number, problem = read_number(
                text.removesuffix("%") if trail else text, "trail" if trail else TITLES[name][1]
            )
            if not text and name in kind.may:
                problem = ""
            _mark(field, bool(problem and (text or name == "quantity")))
            wrong = wrong or problem
            if number is not None:
                found[_argument(name, text, trail)] = number
        return found, wrong


def read_number(text: str, name: str) -> tuple[Decimal | None, str]:
    """A plain positive decimal. 1e5, 1,000 and nan are refused, because what is meant by them is not certain."""
    text = text.strip()
    if not text:
        return None, f"Enter a {name}."
    if not all(character.isascii() and (character.isdigit() or character == ".") for character in text):
        return None, f"The {name} must be digits with a point, such as 12.50."
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None, f"{text} is not a number."
    if number <= 0:
        return None, f"The {name} must be above zero."
    return number, ""


def _argument(name: str, text: str, trail: bool) -> str:
    """What OrderRequest calls it. A trail is in dollars, or in per cent where it says so."""
    if trail:
        return "trail_percent" if text.endswith("%") else "trail_price"
    return {"limit": "limit_price", "stop": "stop_price"}.get(name, name)


def _mark(field: QLineEdit, wrong: bool) -> None:
    if field.property("wrong") != wrong:
        field.setProperty("wrong", wrong)
        field.style().unpolish(field)
        field.style().polish(field)
