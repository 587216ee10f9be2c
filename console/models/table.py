"""The one table model: rows of a `views.Table` as columns that are declared, not programmed.

`refresh` drains what changed since the last time and tells Qt only about cells whose text is new, so ten thousand
updates between two frames cost one repaint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor

from console.theme import tokens
from engine.tables import Table

Row = TypeVar("Row")
Index = QModelIndex | QPersistentModelIndex
SORT_ROLE = Qt.ItemDataRole.UserRole
ROW_ROLE = Qt.ItemDataRole.UserRole + 1
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
"""Asked for at each cell that is painted, and Python's flags are slow to join."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """`text` is what the cell shows; `sort` what it is sorted by, the text unless given; `tone` names a colour token."""

    title: str
    text: Callable[[Row], str]
    sort: Callable[[Row], Any] | None = None
    tone: Callable[[Row], str] | None = None
    width: int = 90
    right: bool = False
    tooltip: Callable[[Row], str] | None = None


class TableModel(QAbstractTableModel, Generic[Row]):
    def __init__(
        self, table: Table[Row], columns: list[Column[Row]], newest_first: bool = False, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.columns = columns
        self._reader = table.reader()
        self._newest_first = newest_first
        self._keys: list[str] = []
        self._position: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._texts: dict[str, list[str]] = {}

    def refresh(self) -> None:
        """Take over what changed in the table."""
        changed, gone = self._reader.drain()
        for key in gone:
            self._remove(key)
        added = [key for key in changed if key not in self._rows]
        dirty = [key for key in changed if key in self._rows]
        for key in dirty:
            self._update(key, changed[key])
        if added:
            self._insert({key: changed[key] for key in added})

    def retext(self) -> None:
        """Write every cell anew, for texts that age by themselves, such as "12 s ago"."""
        columns: set[int] = set()
        positions: list[int] = []
        for position, key in enumerate(self._keys):
            if dirty := self._write(key, self._rows[key]):
                columns.update(dirty)
                positions.append(position)
        if positions:
            # One range for all: a signal for each of five hundred rows holds up the window for a tenth of a second.
            self.dataChanged.emit(
                self.index(positions[0], min(columns)), self.index(positions[-1], max(columns))
            )  # fmt: skip

    def row_at(self, position: int) -> Row:
        return self._rows[self._keys[position]]

    def key_at(self, position: int) -> str:
        return self._keys[position]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  Qt's signature
        return 0 if parent.isValid() else len(self._keys)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(column)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        key = self._keys[index.row()]
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts[key][index.column()]
        row = self._rows[key]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(column)
        if role == Qt.ItemDataRole.ForegroundRole:
            name = column.tone(row) if column.tone is not None else ""
            return QColor(getattr(tokens(), name)) if name else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tooltip(row) if column.tooltip is not None else self._texts[key][index.column()]
        if role == SORT_ROLE:
            return column.sort(row) if column.sort is not None else self._texts[key][index.column()]
        return row if role == ROW_ROLE else None

    def _insert(self, rows: dict[str, Row]) -> None:
        keys = list(rows)
        if self._newest_first:
            keys.reverse()
        at = 0 if self._newest_first else len(self._keys)
        self.beginInsertRows(QModelIndex(), at, at + len(keys) - 1)
        self._keys[at:at] = keys
        self._rows.update(rows)
        for key in keys:
            self._texts[key] = self._written(rows[key])
        self._number()
        self.endInsertRows()

    def _remove(self, key: str) -> None:
        position = self._position.get(key)
        if position is None:
            return
        self.beginRemoveRows(QModelIndex(), position, position)
        del self._keys[position], self._rows[key], self._texts[key]
        self._number()
        self.endRemoveRows()

    def _update(self, key: str, row: Row) -> None:
        if dirty := self._write(key, row):
            position = self._position[key]
            # One range: neighbouring cells of one row cost Qt less than a signal each.
            self.dataChanged.emit(self.index(position, dirty[0]), self.index(position, dirty[-1]))

    def _write(self, key: str, row: Row) -> list[int]:
        """The columns whose text is another now."""
        before, now = self._texts[key], self._written(row)
        self._rows[key], self._texts[key] = row, now
        return [column for column, text in enumerate(now) if text != before[column]]

    def _written(self, row: Row) -> list[str]:
        return [column.text(row) for column in self.columns]

    def _number(self) -> None:
        self._position = {key: position for position, key in enumerate(self._keys)}


class FilteredModel(QSortFilterProxyModel):
    """Typed sorting, shown by an arrow behind the column's title, and a filter over the text of all columns."""

    def __init__(self, source: QAbstractItemModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setSourceModel(source)
        self.setSortRole(SORT_ROLE)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setFilterKeyColumn(-1)
        self._accept: Callable[[Any], bool] | None = None

    def accept_only(self, accept: Callable[[Any], bool] | None) -> None:
        """Show rows for which `accept` holds."""
        self._accept = accept
        self.invalidate()

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        found = super().headerData(section, orientation, role)
        if role != Qt.ItemDataRole.DisplayRole or section != self.sortColumn():
            return found
        return arrow(found, self.sortOrder())

    def filterAcceptsRow(self, position: int, parent: Index) -> bool:
        source: Any = self.sourceModel()
        if self._accept is not None and not self._accept(source.row_at(position)):
            return False
        return bool(super().filterAcceptsRow(position, parent))

    def lessThan(self, left: Index, right: Index) -> bool:
        one, other = left.data(SORT_ROLE), right.data(SORT_ROLE)
        try:
            return bool(one < other)
        except TypeError:
            return str(one) < str(other)


def arrow(title: str, order: Qt.SortOrder) -> str:
    """The title of the column that is sorted by."""
    return f"{title} {'↑' if order is Qt.SortOrder.AscendingOrder else '↓'}"


def alignment(column: Column[Any]) -> int:
    return _RIGHT if column.right else _LEFT
