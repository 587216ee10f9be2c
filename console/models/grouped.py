"""Rows of an `engine.tables.Table` under the group they belong to, for a tree: groups by name, rows as they came or sorted.

Qt keeps what is shown, so that painting asks no Python: a tree looks at each cell's dozen properties, its place and its
parent at every repaint, which made the window stand still for a tenth of a second when many processes changed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont, QStandardItem, QStandardItemModel

from console.models.table import Column, alignment, arrow
from console.theme import font, tokens
from engine.tables import Table

Row = TypeVar("Row")
Index = QModelIndex | QPersistentModelIndex
KEY_ROLE = Qt.ItemDataRole.UserRole
"""Of a row's first cell; a group has none."""
PLACE_ROLE = Qt.ItemDataRole.UserRole + 1
"""Of a first cell: where its line belongs within its group."""
Sparks = Mapping[str, Callable[[Row], Sequence[float]]]
Cell = tuple[str, str, str]
"""Text, tone and tooltip."""


class GroupedModel(QStandardItemModel, Generic[Row]):
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
        super().__init__(0, len(columns), parent)
        self.columns = columns
        self._reader = table.reader()
        self._group_of = group
        self._sums = sums
        self._sparks: Sparks[Row] = sparks or {}
        self._rows: dict[str, Row] = {}
        self._cells: dict[str, list[Cell]] = {}
        self._items: dict[str, list[QStandardItem]] = {}
        self._groups: dict[str, list[QStandardItem]] = {}
        self._sorted: tuple[int, Qt.SortOrder] = (-1, Qt.SortOrder.AscendingOrder)
        self.setSortRole(PLACE_ROLE)

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
            self._finish()

    def retext(self) -> None:
        """Write every cell anew, for texts that age by themselves."""
        for key, row in self._rows.items():
            self._update(key, row)
        self._finish()

    def restyle(self) -> None:
        """Colour every cell by the theme as it is now."""
        for key, cells in self._cells.items():
            for item, (_, tone, _) in zip(self._items[key], cells, strict=True):
                _colour(item, tone)
        for heading in self._groups.values():
            for item in heading:
                _colour(item, "muted")

    def rows_of(self, index: Index) -> list[Row]:
        """The rows that an index stands for: its own, or those of its group as they are shown."""
        first = index.sibling(index.row(), 0)
        if first.parent().isValid():
            return [self._rows[first.data(KEY_ROLE)]]
        return [self._rows[self.index(place, 0, first).data(KEY_ROLE)] for place in range(self.rowCount(first))]

    @property
    def sparked(self) -> list[int]:
        """The columns with a sparkline."""
        return [place for place, column in enumerate(self.columns) if column.title in self._sparks]

    def spark(self, key: str, column: int) -> Sequence[float]:
        """A cell's figures over time; none where the column has no sparkline."""
        figures = self._sparks.get(self.columns[column].title)
        return figures(self._rows[key]) if figures is not None else ()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """The rows within their groups; -1 gives back the table's own order."""
        self._sorted = column, order
        self._put_in_order()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            title = self.columns[section].title
            return arrow(title, self._sorted[1]) if section == self._sorted[0] else title
        return alignment(self.columns[section]) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _insert(self, key: str, row: Row) -> None:
        group = self._group_of(row)
        if group not in self._groups:
            self._groups[group] = [self._item(column) for column in self.columns]
            self._groups[group][0].setFont(font(weight=QFont.Weight.DemiBold))
            for item in self._groups[group]:
                _colour(item, "muted")
            self.insertRow(sum(other < group for other in self._groups), self._groups[group])
        items = [self._item(column) for column in self.columns]
        items[0].setData(key, KEY_ROLE)
        self._rows[key], self._items[key] = row, items
        self._cells[key] = [("", "", "")] * len(self.columns)
        self._update(key, row)
        self._groups[group][0].appendRow(items)

    def _remove(self, key: str) -> None:
        if key not in self._rows:
            return
        group = self._group_of(self._rows.pop(key))
        heading = self._groups[group][0]
        heading.removeRow(self._items.pop(key)[0].row())
        del self._cells[key]
        if not heading.rowCount():
            self.removeRow(heading.row())
            del self._groups[group]

    def _update(self, key: str, row: Row) -> None:
        self._rows[key] = row
        before, now = self._cells[key], [self._cell(column, row) for column in self.columns]
        self._cells[key] = now
        for item, old, new in zip(self._items[key], before, now, strict=True):
            if old == new:
                continue
            item.setText(new[0])
            if old[1] != new[1]:
                _colour(item, new[1])
            if old[2] != new[2]:
                item.setToolTip(new[2])

    def _finish(self) -> None:
        """What follows from the rows together."""
        for group, items in self._groups.items():
            for item, text in zip(items, self._sums(group, self.rows_of(items[0].index())), strict=True):
                if item.text() != text:
                    item.setText(text)
        self._put_in_order()

    def _put_in_order(self) -> None:
        """Qt is asked to only when something is out of place: it lays out the whole tree anew."""
        column, order = self._sorted
        sort = (self.columns[column].sort or self.columns[column].text) if column >= 0 else None
        keys = list(self._rows)
        if sort is not None:
            backwards = order is Qt.SortOrder.DescendingOrder
            keys.sort(key=lambda key: sort(self._rows[key]), reverse=backwards)
        last: dict[str, int] = {}
        out_of_place = False
        for place, key in enumerate(keys):
            item = self._items[key][0]
            item.setData(place, PLACE_ROLE)
            group = self._group_of(self._rows[key])
            out_of_place |= item.row() < last.get(group, 0)
            last[group] = item.row()
        if out_of_place:
            super().sort(0, Qt.SortOrder.AscendingOrder)

    def _cell(self, column: Column[Row], row: Row) -> Cell:
        text = column.text(row)
        tone = column.tone(row) if column.tone is not None else ""
        return text, tone, column.tooltip(row) if column.tooltip is not None else text

    def _item(self, column: Column[Row]) -> QStandardItem:
        item = QStandardItem()
        item.setTextAlignment(Qt.AlignmentFlag(alignment(column)))
        return item


def _colour(item: QStandardItem, tone: str) -> None:
    item.setData(QColor(getattr(tokens(), tone)) if tone else None, Qt.ItemDataRole.ForegroundRole)
