"""A table whose rows may belong under another row: they stand right below it, also when the table is sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QModelIndex, Qt

from console.models.table import SORT_ROLE, Column, Index, Row, TableModel
from engine.tables import Table


class FamilyModel(TableModel[Row]):
    """`parent_of` gives the key of the row above, or nothing for a row of its own; parents have no parents."""

    def __init__(
        self,
        table: Table[Row],
        columns: list[Column[Row]],
        parent_of: Callable[[Row], str],
        newest_first: bool = False,
    ) -> None:
        super().__init__(table, columns, newest_first)
        self._parent_of = parent_of

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == SORT_ROLE:
            above = self._position.get(self._parent_of(self.row_at(index.row())))
            if above is not None:
                # As its parent is sorted: equal ones keep the order in which they stand here.
                return super().data(self.index(above, index.column()), role)
        return super().data(index, role)

    def _insert(self, rows: dict[str, Row]) -> None:
        below = {key: row for key, row in rows.items() if self._has_parent(row, rows)}
        own = {key: row for key, row in rows.items() if key not in below}
        if own:
            super()._insert(own)
        for key, row in below.items():
            self._insert_below(key, row)

    def _update(self, key: str, row: Row) -> None:
        if self._parent_of(row) != self._parent_of(self._rows[key]):
            self._remove(key)
            self._insert({key: row})
        else:
            super()._update(key, row)

    def _has_parent(self, row: Row, others: dict[str, Row]) -> bool:
        parent = self._parent_of(row)
        return parent in others or parent in self._rows

    def _insert_below(self, key: str, row: Row) -> None:
        parent = self._parent_of(row)
        at = self._position[parent] + 1
        while at < len(self._keys) and self._parent_of(self.row_at(at)) == parent:
            at += 1
        self.beginInsertRows(QModelIndex(), at, at)
        self._keys.insert(at, key)
        self._rows[key] = row
        self._texts[key] = self._written(row)
        self._number()
        self.endInsertRows()
