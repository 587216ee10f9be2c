"""Small pieces that every panel is laid out from."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QPushButton, QSplitter, QVBoxLayout, QWidget

from console.theme import SPACE


def card(*widgets: QWidget, title: str = "", stretch: int | None = None) -> QFrame:
    """A bordered surface with widgets below each other; the one at `stretch` takes the room that is left, or none."""
    frame = QFrame()
    frame.setProperty("card", True)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
    layout.setSpacing(SPACE // 2)
    if title:
        layout.addWidget(label(title, "heading"))
    for position, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if position == stretch else 0)
    if stretch is None:
        layout.addStretch(1)
    return frame


def label(text: str = "", role: str = "", name: str = "") -> QLabel:
    """`role` is muted, heading, figure or headline."""
    found = QLabel(text)
    if role:
        found.setProperty("role", role)
    if name:
        found.setObjectName(name)
    return found


def set_tone(widget: QWidget, tone: str) -> None:
    """Colour a label by token name; only repolished when it changes."""
    if widget.property("tone") != tone:
        widget.setProperty("tone", tone)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def button(text: str, name: str, kind: str = "", tooltip: str = "") -> QPushButton:
    found = QPushButton(text)
    found.setObjectName(name)
    found.setAccessibleName(tooltip or text)
    if kind:
        found.setProperty("kind", kind)
    if tooltip:
        found.setToolTip(tooltip)
    return found


def row(*widgets: QWidget | None, margin: int = 0) -> QWidget:
    """Widgets beside each other; None is room that stretches."""
    return _holder(QBoxLayout.Direction.LeftToRight, widgets, margin)


def column(*widgets: QWidget | None, margin: int = 0) -> QWidget:
    """Widgets below each other; None is room that stretches."""
    return _holder(QBoxLayout.Direction.TopToBottom, widgets, margin)


def _holder(direction: QBoxLayout.Direction, widgets: tuple[QWidget | None, ...], margin: int) -> QWidget:
    holder = QWidget()
    layout = QBoxLayout(direction, holder)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(SPACE)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        else:
            layout.addWidget(widget)
    return holder


def splitter(*widgets: QWidget, sizes: list[int], vertical: bool = False, name: str = "") -> QSplitter:
    found = QSplitter(Qt.Orientation.Vertical if vertical else Qt.Orientation.Horizontal)
    found.setChildrenCollapsible(False)
    found.setHandleWidth(SPACE)
    found.setObjectName(name)
    for widget in widgets:
        found.addWidget(widget)
    found.setSizes(sizes)
    for position, size in enumerate(sizes):
        found.setStretchFactor(position, 1 if size == max(sizes) else 0)
    return found
