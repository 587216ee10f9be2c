"""Rows under their groups, as the console shows them: selected one, many or a whole group, with sparklines in cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QPainter, QPaintEvent, QPen, QPolygonF, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QStyleOptionViewItem, QTreeView, QWidget

from console.models.grouped import ROWS_ROLE, SPARK_ROLE, GroupedModel
from console.models.table import FilteredModel
from console.theme import ROW, tokens
from console.widgets.habits import Act, ToneDelegate, offer_actions, offer_columns, say_empty, set_up_header
from console.widgets.sparkline import points

SPARK_SHARE = 0.55
"""Of a cell's width; its figure has the rest."""


class SparkDelegate(ToneDelegate):
    """A cell's figures over time, left of its newest one."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        figures = index.data(SPARK_ROLE)
        if not figures or len(figures) < 2:
            return
        room = QRect(option.rect).adjusted(4, 5, -4, -5)
        room.setWidth(int(room.width() * SPARK_SHARE))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(tokens().accent), 1.0))
        painter.drawPolyline(QPolygonF(points(figures, room)))
        painter.restore()


class TreeView(QTreeView):
    """`empty` says what will be here. `selected` is emitted with the first selected row, or None."""

    selected = Signal(object)

    def __init__(self, model: GroupedModel[Any], name: str, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name.replace(".", " "))
        self.source = model
        self.filtered = FilteredModel(model, self)
        self.filtered.setRecursiveFilteringEnabled(True)
        self.menu_actions: list[tuple[str, Act]] = []
        self._empty = empty
        self.setModel(self.filtered)
        self._set_up()
        for position, column in enumerate(model.columns):
            self.setColumnWidth(position, column.width)
        self.header().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.filtered.rowsInserted.connect(lambda *_: self.expandAll())
        self.selectionModel().selectionChanged.connect(lambda *_: self.selected.emit(self.current_row()))
        QShortcut(QKeySequence.StandardKey.Copy, self, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.customContextMenuRequested.connect(self._open_menu)
        self.header().customContextMenuRequested.connect(self._choose_columns)

    def rows(self) -> list[Any]:
        """The selected rows, each once; a selected group stands for all of its."""
        found: list[Any] = []
        for index in self.selectionModel().selectedRows():
            found += [row for row in index.data(ROWS_ROLE) if not any(row is other for other in found)]
        return found

    def current_row(self) -> Any | None:
        rows = self.rows()
        return rows[0] if rows else None

    def select_where(self, accept: Callable[[Any], bool]) -> bool:
        """Select the first row that fits; False when none does."""
        for index in self._leaves():
            if accept(index.data(ROWS_ROLE)[0]):
                flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
                self.selectionModel().setCurrentIndex(index, flags)
                return True
        return False

    def copy(self) -> None:
        """Selected rows as tab-separated text with their headings, ready for a spreadsheet."""
        shown = [position for position in range(len(self.source.columns)) if not self.isColumnHidden(position)]
        lines = ["\t".join(self.source.columns[column].title for column in shown)]
        lines += [
            "\t".join(str(index.siblingAtColumn(column).data() or "") for column in shown)
            for index in self.selectionModel().selectedRows()
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.filtered.rowCount():
            say_empty(self, self._empty)

    def _leaves(self) -> list[QModelIndex]:
        groups = [self.filtered.index(place, 0) for place in range(self.filtered.rowCount())]
        return [
            self.filtered.index(place, 0, group)
            for group in groups
            for place in range(self.filtered.rowCount(group))
        ]  # fmt: skip

    def _set_up(self) -> None:
        self.setItemDelegate(SparkDelegate(self))
        self.setUniformRowHeights(True)
        self.setIndentation(ROW // 2)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        set_up_header(self.header())
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)

    def _open_menu(self, place: QPoint) -> None:
        if rows := self.rows():
            offer_actions(self, [*self.menu_actions, ("Copy", lambda _: self.copy())], rows, place)

    def _choose_columns(self, place: QPoint) -> None:
        offer_columns(self, self.header(), [column.title for column in self.source.columns], place)
