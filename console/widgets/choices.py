"""Choices in menus that are kept from one start to the next; `console.arrangement` stores them under their object names."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

_REMEMBERED = "remembered"


def remember(action: QAction) -> None:
    """A checkable action with an object name."""
    action.setProperty(_REMEMBERED, True)


def remembered(window: QWidget) -> list[QAction]:
    return [action for action in window.findChildren(QAction) if action.property(_REMEMBERED)]
