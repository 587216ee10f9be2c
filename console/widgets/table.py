"""A table view as the whole console shows them: quiet, dense, sortable, copied by Ctrl+C, and saying what is missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QPainter, QPaintEvent, QPalette, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from console.models.table import FilteredModel, TableModel
from console.theme import ROW, font, tokens


class ToneDelegate(QStyledItemDelegate):
    """Keeps a cell's own colour while its row is selected: a loss stays red."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if not option.state & QStyle.StateFlag.State_Selected:
            return
        colour = index.data(Qt.ItemDataRole.ForegroundRole)
        option.palette.setColor(QPalette.ColorRole.HighlightedText, colour or QColor(tokens().text))


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
        self.menu_actions: list[tuple[str, Callable[[list[Any]], None]]] = []
        self._empty = empty
        self.setModel(self.filtered)
        self._set_up()
        for position, column in enumerate(model.columns):
            self.setColumnWidth(position, column.width)
        # A third click on a heading gives back the table's own order; -1 is that order, too.
        self.horizontalHeader().setSortIndicatorClearable(True)
        self.horizontalHeader().setSortIndicator(*(sort or (-1, Qt.SortOrder.AscendingOrder)))
        self.setSortingEnabled(True)
        self.selectionModel().selectionChanged.connect(lambda *_: self.selected.emit(self.current_row()))
        QShortcut(QKeySequence.StandardKey.Copy, self, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.customContextMenuRequested.connect(self._open_menu)
        header = self.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._choose_columns)

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
        if self.filtered.rowCount():
            return
        painter = QPainter(self.viewport())
        painter.setPen(QColor(tokens().muted))
        painter.setFont(font())
        area = QRect(self.viewport().rect()).adjusted(16, 8, -16, -8)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._empty)
        painter.end()

    def _set_up(self) -> None:
        self.setShowGrid(False)
        self.setItemDelegate(ToneDelegate(self))
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
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        header.setMinimumSectionSize(40)

    def _row(self, position: int) -> Any:
        return self.source.row_at(self.filtered.mapToSource(self.filtered.index(position, 0)).row())

    def _open_menu(self, place: QPoint) -> None:
        rows = self.rows()
        if not rows:
            return
        menu = self._menu()
        for title, act in self.menu_actions:
            menu.addAction(title, partial(act, rows))
        menu.addAction("Copy", self.copy)
        menu.popup(self.viewport().mapToGlobal(place))

    def _choose_columns(self, place: QPoint) -> None:
        menu = self._menu()
        shown = [position for position in range(len(self.source.columns)) if not self.isColumnHidden(position)]
        for position, column in enumerate(self.source.columns):
            action = menu.addAction(column.title or "·")
            action.setCheckable(True)
            action.setChecked(position in shown)
            # Without any column there would be no heading left to bring one back by.
            action.setEnabled(shown != [position])
            action.toggled.connect(lambda visible, position=position: self.setColumnHidden(position, not visible))
        menu.popup(self.horizontalHeader().mapToGlobal(place))

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return menu
