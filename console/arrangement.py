"""How a person arranged the window: splitters, table columns, choices, the tab in sight. Kept from one start to the next."""

from __future__ import annotations

from zlib import crc32

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QHeaderView, QSplitter

from console.widgets.choices import remembered
from console.widgets.table import TableView
from console.widgets.tree import TreeView
from console.window import Window

TAB = "window/tab"
CHOSEN = "yes"


class Arrangement:
    """Of everything in the window that has an object name. Made when all panels are there, as they were designed."""

    def __init__(self, window: Window, store: QSettings) -> None:
        self._window = window
        self._store = store
        self._parts: dict[str, QSplitter | QHeaderView] = {}
        for splitter in window.findChildren(QSplitter):
            if splitter.objectName():
                self._parts[f"splitters/{splitter.objectName()}"] = splitter
        for table in window.findChildren(TableView):
            self._parts[_columns_key(table)] = table.horizontalHeader()
        for tree in window.findChildren(TreeView):
            self._parts[_columns_key(tree)] = tree.header()
        self._choices = {f"choices/{action.objectName()}": action for action in remembered(window)}
        self._designed_choices = {key: action.isChecked() for key, action in self._choices.items()}
        self._designed = {key: QByteArray(part.saveState()) for key, part in self._parts.items()}

    def restore(self) -> None:
        for key, part in self._parts.items():
            state = self._store.value(key)
            if isinstance(state, QByteArray):
                part.restoreState(state)
        for key, action in self._choices.items():
            if (chosen := self._store.value(key)) is not None:
                action.setChecked(str(chosen) == CHOSEN)
        tab = str(self._store.value(TAB, "0"))
        self._window.tabs.setCurrentIndex(int(tab) if tab.isdecimal() else 0)

    def save(self) -> None:
        for key, part in self._parts.items():
            self._store.setValue(key, part.saveState())
        for key, action in self._choices.items():
            self._store.setValue(key, CHOSEN if action.isChecked() else "no")
        self._store.setValue(TAB, self._window.tabs.currentIndex())

    def reset(self) -> None:
        """As it was designed."""
        for key, part in self._parts.items():
            part.restoreState(self._designed[key])
        for key, action in self._choices.items():
            action.setChecked(self._designed_choices[key])


def _columns_key(view: TableView | TreeView) -> str:
    """With other columns than last time the old widths would land on the wrong ones."""
    titles = crc32("|".join(column.title for column in view.source.columns).encode())
    return f"columns/{view.objectName()}-{titles:08x}"
