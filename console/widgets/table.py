"""A table view as the whole console shows them: quiet, dense, sortable, copied by Ctrl+C, and saying what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from console.models.table import FilteredModel, TableModel
from console.theme import ROW
from console.widgets.habits import Act, offer_actions, offer_columns, say_empty, set_up_header, tone_columns


class TableView(QTableView):
    """`empty` says what will be here. `selected` is emitted with the row under the cursor, or None."""

    selected = Signal(object)

    def __init__(
        self,
        model: TableModel[Any],
        name: str,
        empty: str,
        sort: tuple[int, Qt.SortOrder] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name.replace(".", " "))
        self.source = model
        self.filtered = FilteredModel(model, self)
        self.menu_actions: list[tuple[str, Act]] = []
        self._empty = empty
        self.setModel(self.filtered)
        self._set_up()
        for position, column in enumerate(model.columns):
            self.setColumnWidth(position, column.width)
        # -1 is the table's own order.
        self.horizontalHeader().setSortIndicator(*(sort or (-1, Qt.SortOrder.AscendingOrder)))
        self.setSortingEnabled(True)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selected.emit(self.current_row()))
        QShortcut(QKeySequence.StandardKey.Copy, self, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.customContextMenuRequested.connect(self._open_menu)
        self.horizontalHeader().customContextMenuRequested.connect(self._choose_columns)

    def rows(self) -> list[Any]:
        """The selected rows, in the order in which they are shown."""
        positions = sorted({index.row() for index in self.selectedIndexes()})
        return [self._row(position) for position in positions]

    def current_row(self) -> Any | None:
        rows = self.rows()
        return rows[0] if rows else None

    def select_where(self, accept: Callable[[Any], bool]) -> bool:
        """Select the first row that fits; False when none does."""
        for position in range(self.filtered.rowCount()):
            if accept(self._row(position)):
                # Not selectRow: it does nothing while the header has not been laid out.
                flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
                self.selectionModel().setCurrentIndex(self.filtered.index(position, 0), flags)
                return True
        return False

    def hide_columns(self, *titles: str) -> None:
        """Until the person asks for them in the menu of the headings."""
        for position, column in enumerate(self.source.columns):
            if column.title in titles:
                self.setColumnHidden(position, True)

    def copy(self) -> None:
        """Selected rows as tab-separated text with their headings, ready for a spreadsheet."""
        columns = [position for position in range(self.filtered.columnCount()) if not self.isColumnHidden(position)]
        lines = ["\t".join(self.source.columns[column].title for column in columns)]
        lines += [
            "\t".join(str(self.filtered.index(position, column).data()) for column in columns)
            for position in sorted({index.row() for index in self.selectedIndexes()})
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def say_when_empty(self, text: str) -> None:
        self._empty = text
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.filtered.rowCount():
            say_empty(self, self._empty)

    def _set_up(self) -> None:
        self.setShowGrid(False)
        tone_columns(self, self.source.columns)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        set_up_header(self.horizontalHeader())

    def _row(self, position: int) -> Any:
        return self.source.row_at(self.filtered.mapToSource(self.filtered.index(position, 0)).row())

    def _open_menu(self, place: QPoint) -> None:
        if rows := self.rows():
            offer_actions(self, [*self.menu_actions, ("Copy", lambda _: self.copy())], rows, place)

    def _choose_columns(self, place: QPoint) -> None:
        offer_columns(self, self.horizontalHeader(), [column.title for column in self.source.columns], place)
