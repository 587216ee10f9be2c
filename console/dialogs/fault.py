"""How often, how long and for what: the particulars of a fault of the local exchange."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from console.widgets.layout import label
from engine.control import ExchangeFault

WHICH = {
    "all requests": ("", ""),
    "new orders": ("POST", "/v2/orders"),
    "cancels": ("DELETE", "/v2/orders"),
    "reading orders": ("GET", "/v2/orders"),
    "reading the account": ("GET", "/v2/account"),
}
"""Words, and the method and path they stand for."""
STREAMS = {"all streams": "all", "trade updates": "trading", "market data": "data"}
LONGEST = 600.0
RESTART_LONGEST = 5.0
"""Seconds; an exchange that stays away for longer is taken for dead, and started anew."""


class FaultDialog(QDialog):
    """Asks for `fields` of the fault: count, seconds, which, after, stream."""

    def __init__(self, parent: QWidget, title: str, about: str, fault: ExchangeFault, fields: Sequence[str]) -> None:
        super().__init__(parent)
        self.setObjectName("fault.dialog")
        self.setWindowTitle(title)
        self.setMinimumWidth(420)
        self._fault = fault
        self._form = QFormLayout()
        text = label(about, "muted")
        text.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self._count = _whole(fault)
        self._seconds = _seconds(fault)
        self._which = _choice("fault.which", WHICH)
        self._which.setCurrentText(next(words for words, (method, _) in WHICH.items() if method == fault.method))
        self._stream = _choice("fault.stream", STREAMS)
        self._after = QCheckBox("after the request has been carried out")
        self._after.setObjectName("fault.after")
        self._after.setChecked(fault.after)
        asked = {
            "seconds": ("Seconds", self._seconds),
            "count": ("How many", self._count),
            "which": ("Of", self._which),
            "stream": ("Which", self._stream),
            "after": ("", self._after),
        }
        self._fields = [name for name in asked if name in fields]
        for name in self._fields:
            self._form.addRow(*asked[name])
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(self._form)
        layout.addWidget(buttons)

    def fault(self) -> ExchangeFault:
        """As it was filled in."""
        method, path = WHICH[self._which.currentText()]
        chosen: dict[str, dict[str, Any]] = {
            "seconds": {"seconds": self._seconds.value()},
            "count": {"count": self._count.value()},
            "which": {"method": method, "path": path},
            "stream": {"stream": STREAMS[self._stream.currentText()]},
            "after": {"after": self._after.isChecked()},
        }
        changed = {key: value for name in self._fields for key, value in chosen[name].items()}
        return msgspec.structs.replace(self._fault, **changed)

    def words(self) -> str:
        """What was chosen, for a person."""
        said = {
            "seconds": f"{self._seconds.value():g} s",
            "count": f"{self._count.value()} times",
            "which": self._which.currentText(),
            "stream": self._stream.currentText(),
            "after": "after the act" if self._after.isChecked() else "before the act",
        }
        return ", ".join(said[name] for name in self._fields)


def _whole(fault: ExchangeFault) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName("fault.count")
    box.setRange(2 if fault.kind == "reorder_updates" else 1, 10_000)
    box.setValue(fault.count)
    return box


def _seconds(fault: ExchangeFault) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName("fault.seconds")
    longest = RESTART_LONGEST if fault.kind == "restart" else LONGEST
    box.setRange(-longest if fault.kind == "clock_skew" else 0.0, longest)
    box.setDecimals(1)
    box.setValue(fault.seconds)
    return box


def _choice(name: str, words: Iterable[str]) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.addItems(list(words))
    return box
