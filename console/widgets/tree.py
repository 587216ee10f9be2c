"""Rows under their groups, as the console shows them: selected one, many or a whole group, with sparklines in cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QPainter, QPaintEvent, QPen, QPolygonF, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from console.models.grouped import KEY_ROLE, GroupedModel
from console.theme import ROW, tokens
from console.widgets.habits import Act, offer_actions, offer_columns, say_empty, set_up_header, tone_columns
from console.widgets.sparkline import line

SPARK_SHARE = 0.55
"""Of a cell's width; its figure has the rest."""


class RowDelegate(QStyledItemDelegate):
    """Makes rows as high as those of tables. Qt paints the cells by itself."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), ROW)


class SparkDelegate(RowDelegate):
    """A cell's figures over time, left of its newest one."""

    def __init__(self, model: GroupedModel[Any], parent: QObject) -> None:
        super().__init__(parent)
        self._model = model
        self._lines: dict[tuple[str, int], QPolygonF | None] = {}

    def forget(self) -> None:
        """There are newer figures."""
        self._lines.clear()

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        key = index.sibling(index.row(), 0).data(KEY_ROLE)
        if key is None or (drawn := self._line(key, index.column())) is None:
            return
        room = QRect(option.rect).adjusted(4, 5, -4, -5)
        pen = QPen(QColor(tokens().accent), 1.0)
        pen.setCosmetic(True)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pen)
        painter.translate(room.topLeft())
        painter.scale(room.width() * SPARK_SHARE, room.height())
        painter.drawPolyline(drawn)
        painter.restore()

    def _line(self, key: str, column: int) -> QPolygonF | None:
        place = key, column
        if place not in self._lines:
            figures = self._model.spark(key, column)
            self._lines[place] = line(figures) if len(figures) > 1 else None
        return self._lines[place]


class TreeView(QTreeView):
    """`empty` says what will be here. `selected` is emitted with the first selected row, or None."""

    selected = Signal(object)

    def __init__(self, model: GroupedModel[Any], name: str, empty: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(name.replace(".", " "))
        self.source = model
        self.menu_actions: list[tuple[str, Act]] = []
        self._empty = empty
        self._sparks = SparkDelegate(model, self)
        self.setModel(model)
        self._set_up()
        for position, column in enumerate(model.columns):
            self.setColumnWidth(position, column.width)
        self.header().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        model.rowsInserted.connect(lambda *_: self.expandAll())
        self.selectionModel().selectionChanged.connect(lambda *_: self.selected.emit(self.current_row()))
        QShortcut(QKeySequence.StandardKey.Copy, self, self.copy, context=Qt.ShortcutContext.WidgetShortcut)
        self.customContextMenuRequested.connect(self._open_menu)
        self.header().customContextMenuRequested.connect(self._choose_columns)

    def rows(self) -> list[Any]:
        """The selected rows, each once; a selected group stands for all of its."""
        found: list[Any] = []
        for index in self.selectionModel().selectedRows():
            found += [row for row in self.source.rows_of(index) if not any(row is other for other in found)]
        return found

    def current_row(self) -> Any | None:
        rows = self.rows()
        return rows[0] if rows else None

    def select_where(self, accept: Callable[[Any], bool]) -> bool:
        """Select the first row that fits; False when none does."""
        for index in self._leaves():
            if accept(self.source.rows_of(index)[0]):
                flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
                self.selectionModel().setCurrentIndex(index, flags)
                return True
        return False

    def refresh_sparks(self) -> None:
        self._sparks.forget()
        self.viewport().update()

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
        if not self.source.rowCount():
            say_empty(self, self._empty)

    def _leaves(self) -> list[QModelIndex]:
        groups = [self.source.index(place, 0) for place in range(self.source.rowCount())]
        return [
            self.source.index(place, 0, group) for group in groups for place in range(self.source.rowCount(group))
        ]  # fmt: skip

    def _set_up(self) -> None:
        self.setItemDelegate(RowDelegate(self))
        tone_columns(self, self.source.columns)
        for position in self.source.sparked:
            self.setItemDelegateForColumn(position, self._sparks)
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
