"""What every list of rows does: says what will be here, lets columns be chosen, offers what can be done with the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTreeView,
)

from console.models.table import Column
from console.theme import font, tokens

Act = Callable[[list[Any]], None]


class ToneDelegate(QStyledItemDelegate):
    """Keeps a cell's own colour while its row is selected: a loss stays red. For the columns that have colours alone; Qt
    paints the others without asking Python.
    """

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if not option.state & QStyle.StateFlag.State_Selected:
            return
        colour = index.data(Qt.ItemDataRole.ForegroundRole)
        option.palette.setColor(QPalette.ColorRole.HighlightedText, colour or QColor(tokens().text))


def tone_columns(view: QAbstractItemView, columns: Sequence[Column[Any]]) -> None:
    delegate = ToneDelegate(view)
    for position, column in enumerate(columns):
        if column.tone is not None:
            view.setItemDelegateForColumn(position, delegate)


def say_empty(view: QAbstractItemView, text: str) -> None:
    """Paint `text` in the middle of a view without rows."""
    painter = QPainter(view.viewport())
    painter.setPen(QColor(tokens().muted))
    painter.setFont(font())
    area = QRect(view.viewport().rect()).adjusted(16, 8, -16, -8)
    painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), text)
    painter.end()


def set_up_header(header: QHeaderView) -> None:
    header.setStretchLastSection(True)
    header.setHighlightSections(False)
    header.setSectionsMovable(True)
    header.setMinimumSectionSize(40)
    # A third click on a heading gives back the table's own order.
    header.setSortIndicatorClearable(True)
    header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)


def offer_actions(view: QAbstractItemView, actions: Sequence[tuple[str, Act]], rows: list[Any], place: QPoint) -> None:
    """Open the menu of what can be done with `rows`."""
    menu = _menu(view)
    for title, act in actions:
        menu.addAction(title, partial(act, rows))
    menu.popup(view.viewport().mapToGlobal(place))


def offer_columns(view: QTableView | QTreeView, header: QHeaderView, titles: Sequence[str], place: QPoint) -> None:
    """Open the menu of the headings, by which columns are shown and hidden."""
    menu = _menu(view)
    shown = [position for position in range(len(titles)) if not view.isColumnHidden(position)]
    for position, title in enumerate(titles):
        action = menu.addAction(title or "·")
        action.setCheckable(True)
        action.setChecked(position in shown)
        # Without any column there would be no heading left to bring one back by.
        action.setEnabled(shown != [position])
        action.toggled.connect(lambda visible, position=position: view.setColumnHidden(position, not visible))
    menu.popup(header.mapToGlobal(place))


def _menu(view: QAbstractItemView) -> QMenu:
    menu = QMenu(view)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu
