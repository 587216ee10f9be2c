"""Rows of a `views.Table` under the group they belong to, for a tree: groups by name, rows in the order they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from console.models.table import ROW_ROLE, SORT_ROLE, Column, alignment
from console.theme import font, tokens
from engine.tables import Table

Row = TypeVar("Row")
Index = QModelIndex | QPersistentModelIndex
SPARK_ROLE = Qt.ItemDataRole.UserRole + 2
"""The figures of a cell over time, for its sparkline."""
ROWS_ROLE = Qt.ItemDataRole.UserRole + 3
"""The rows that an index stands for: its own, or those of its group."""
_ROOT = QModelIndex()
Sparks = Mapping[str, Callable[[Row], Sequence[float]]]


class GroupedModel(QAbstractItemModel, Generic[Row]):
    """`sums` writes the cells of a group from its rows; `sparks` gives columns, by title, their figures over time."""

    def __init__(
        self,
        table: Table[Row],
        columns: list[Column[Row]],
        group: Callable[[Row], str],
        sums: Callable[[str, list[Row]], list[str]],
        sparks: Sparks[Row] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.columns = columns
        self._reader = table.reader()
        self._group_of = group
        self._sums = sums
        self._sparks: Sparks[Row] = sparks or {}
        self._rows: dict[str, Row] = {}
        self._texts: dict[str, list[str]] = {}
        self._groups: list[str] = []
        self._ids: dict[str, int] = {}
        self._keys: dict[str, list[str]] = {}
        self._headings: dict[str, list[str]] = {}

    def refresh(self) -> None:
        """Take over what changed in the table."""
        changed, gone = self._reader.drain()
        for key in gone:
            self._remove(key)
        for key, row in changed.items():
            known = self._rows.get(key)
            if known is not None and self._group_of(known) == self._group_of(row):
                self._update(key, row)
            else:
                self._remove(key)
                self._insert(key, row)
        if changed or gone:
            self._write_headings()

    def retext(self) -> None:
        """Write every cell anew, for texts that age by themselves."""
        for key, row in list(self._rows.items()):
            self._update(key, row)
        self._write_headings()

    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        """The id of a group's index is 0; that of a row's is its group's number, which stays when groups move."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, self._ids[self._groups[parent.row()]] if parent.isValid() else 0)

    def parent(self, index: Index = _ROOT) -> QModelIndex:  # type: ignore[override]  # Qt has two methods of the name
        number = index.internalId() if index.isValid() else 0
        return self._group_index(self._group_with(number)) if number else QModelIndex()

    def rowCount(self, parent: Index = _ROOT) -> int:
        if not parent.isValid():
            return len(self._groups)
        if parent.internalId() or parent.column():
            return 0
        return len(self._keys[self._groups[parent.row()]])

    def columnCount(self, parent: Index = _ROOT) -> int:
        return len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        return alignment(self.columns[section]) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column = self.columns[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return alignment(column)
        if not index.internalId():
            return self._group_data(self._groups[index.row()], index.column(), role)
        key = self._keys[self._group_with(index.internalId())][index.row()]
        return self._row_data(key, index.column(), role)

    def _group_data(self, group: str, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[group][column]
        if role == SORT_ROLE:
            return group
        if role == ROWS_ROLE:
            return [self._rows[key] for key in self._keys[group]]
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(tokens().muted)
        return font(weight=QFont.Weight.DemiBold) if role == Qt.ItemDataRole.FontRole and column == 0 else None

    def _row_data(self, key: str, number: int, role: int) -> Any:
        column, row, text = self.columns[number], self._rows[key], self._texts[key][number]
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ForegroundRole:
            name = column.tone(row) if column.tone is not None else ""
            return QColor(getattr(tokens(), name)) if name else None
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tooltip(row) if column.tooltip is not None else text
        if role == SORT_ROLE:
            return column.sort(row) if column.sort is not None else text
        if role == SPARK_ROLE:
            spark = self._sparks.get(column.title)
            return None if spark is None else spark(row)
        return {ROW_ROLE: row, ROWS_ROLE: [row]}.get(role)

    def _insert(self, key: str, row: Row) -> None:
        group = self._group_of(row)
        if group not in self._keys:
            at = sum(other < group for other in self._groups)
            self.beginInsertRows(QModelIndex(), at, at)
            self._groups.insert(at, group)
            self._ids.setdefault(group, len(self._ids) + 1)
            self._keys[group] = []
            self._headings[group] = [group, *[""] * (len(self.columns) - 1)]
            self.endInsertRows()
        keys = self._keys[group]
        self.beginInsertRows(self._group_index(group), len(keys), len(keys))
        keys.append(key)
        self._rows[key] = row
        self._texts[key] = self._written(row)
        self.endInsertRows()

    def _remove(self, key: str) -> None:
        row = self._rows.get(key)
        if row is None:
            return
        group = self._group_of(row)
        keys = self._keys[group]
        place = keys.index(key)
        self.beginRemoveRows(self._group_index(group), place, place)
        del keys[place], self._rows[key], self._texts[key]
        self.endRemoveRows()
        if not keys:
            place = self._groups.index(group)
            self.beginRemoveRows(QModelIndex(), place, place)
            del self._groups[place], self._keys[group], self._headings[group]
            self.endRemoveRows()

    def _update(self, key: str, row: Row) -> None:
        before, now = self._texts[key], self._written(row)
        self._rows[key], self._texts[key] = row, now
        dirty = [number for number, text in enumerate(now) if text != before[number]]
        dirty += [number for number, column in enumerate(self.columns) if column.title in self._sparks]
        if dirty:
            group = self._group_of(row)
            place, parent = self._keys[group].index(key), self._group_index(group)
            self.dataChanged.emit(self.index(place, min(dirty), parent), self.index(place, max(dirty), parent))

    def _write_headings(self) -> None:
        for place, group in enumerate(self._groups):
            now = self._sums(group, [self._rows[key] for key in self._keys[group]])
            if now != self._headings[group]:
                self._headings[group] = now
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(self.columns) - 1))

    def _group_with(self, number: int) -> str:
        return next(group for group in self._groups if self._ids[group] == number)

    def _group_index(self, group: str) -> QModelIndex:
        return self.createIndex(self._groups.index(group), 0, 0)

    def _written(self, row: Row) -> list[str]:
        return [column.text(row) for column in self.columns]
