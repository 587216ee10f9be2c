"""The window comes back as it was arranged, and forgets it on request."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSplitter, QTabWidget

from console.arrangement import Arrangement
from console.models.table import Column, TableModel
from console.widgets.choices import remember
from console.widgets.layout import label, splitter
from console.widgets.table import TableView
from console.window import Window
from engine.tables import Table
from engine.views import QuoteRow

pytestmark = pytest.mark.usefixtures("qapp")

COLUMNS: list[Column[QuoteRow]] = [
    Column("Symbol", lambda row: row.symbol),
    Column("Last", lambda row: f"{row.last:.2f}", lambda row: row.last, right=True),
    Column("Bid", lambda row: f"{row.bid:.2f}", lambda row: row.bid, right=True),
]


def quotes(*prices: float) -> Table[QuoteRow]:
    table: Table[QuoteRow] = Table()
    for position, price in enumerate(prices):
        table.put(str(position), QuoteRow(symbol=f"S{position}", last=price))
    return table


def view_of(table: Table[QuoteRow], columns: list[Column[QuoteRow]] = COLUMNS) -> TableView:
    view = TableView(TableModel(table, columns), "test.table", "Empty.")
    view.source.refresh()
    return view


def arranged(store: QSettings, columns: list[Column[QuoteRow]] = COLUMNS) -> tuple[Window, TableView, Arrangement]:
    window = Window("demo", store, remember=False)
    view = view_of(quotes(3.0, 20.0, 1.0), columns)
    window.put_panel(1, splitter(view, label("beside"), sizes=[500, 500], name="test.splitter"))
    return window, view, Arrangement(window, store)


def order(view: TableView) -> list[str]:
    return [str(view.filtered.index(row, 0).data()) for row in range(view.filtered.rowCount())]


def with_choices(store: QSettings) -> tuple[dict[str, QAction], Arrangement]:
    """Two that are chosen from the start, one that is not."""
    window = Window("demo", store, remember=False)
    panel = label("chart")
    actions: dict[str, QAction] = {}
    for name in ("sma", "ema", "rsi"):
        actions[name] = QAction(name, panel)
        actions[name].setObjectName(f"test.{name}")
        actions[name].setCheckable(True)
        actions[name].setChecked(name != "rsi")
        remember(actions[name])
    window.put_panel(1, panel)
    return actions, Arrangement(window, store)


def test_choices_of_a_menu_come_back_and_act_until_they_are_reset(store: QSettings) -> None:
    actions, first = with_choices(store)
    actions["ema"].setChecked(False)
    actions["rsi"].setChecked(True)
    first.save()
    again, second = with_choices(store)
    told: list[tuple[str, bool]] = []
    for name, action in again.items():
        action.toggled.connect(lambda shown, name=name: told.append((name, shown)))
    second.restore()
    assert told == [("ema", False), ("rsi", True)]
    second.reset()
    assert {name: action.isChecked() for name, action in again.items()} == {"sma": True, "ema": True, "rsi": False}


def test_columns_splitters_and_the_tab_come_back(store: QSettings) -> None:
    window, view, first = arranged(store)
    window.tabs.setCurrentIndex(1)
    view.setColumnHidden(2, True)
    view.setColumnWidth(0, 177)
    view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    window.findChild(QSplitter, "test.splitter").setSizes([300, 700])
    first.save()
    wanted = window.findChild(QSplitter, "test.splitter").sizes()

    again, other, second = arranged(store)
    second.restore()
    assert again.findChild(QTabWidget, "main").currentIndex() == 1
    assert other.isColumnHidden(2)
    assert other.columnWidth(0) == 177
    assert order(other) == ["S1", "S0", "S2"]
    assert again.findChild(QSplitter, "test.splitter").sizes() == wanted
    second.reset()
    assert not other.isColumnHidden(2)
    assert order(other) == ["S0", "S1", "S2"]


def test_other_columns_than_last_time_begin_afresh(store: QSettings) -> None:
    _window, view, first = arranged(store)
    view.setColumnHidden(1, True)
    first.save()
    _again, other, second = arranged(store, COLUMNS[:2])
    second.restore()
    assert not other.isColumnHidden(1)


def test_nonsense_in_the_file_is_no_obstacle(store: QSettings) -> None:
    store.setValue("window/tab", "the third")
    store.setValue("splitters/test.splitter", "a word")
    window, _, arrangement = arranged(store)
    arrangement.restore()
    assert window.tabs.currentIndex() == 0


def test_a_heading_sorts_by_value_and_a_third_click_gives_the_order_back(qapp: QApplication) -> None:
    view = view_of(quotes(3.0, 20.0, 1.0))
    view.resize(500, 200)
    view.show()
    header = view.horizontalHeader()
    qapp.processEvents()

    def click() -> list[str]:
        place = header.rect().center()
        place.setX(header.sectionViewportPosition(1) + 20)
        QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        return order(view)

    assert order(view) == ["S0", "S1", "S2"]
    assert click() == ["S2", "S0", "S1"]
    assert view.filtered.headerData(1, Qt.Orientation.Horizontal) == "Last ↑"
    assert click() == ["S1", "S0", "S2"]
    assert click() == ["S0", "S1", "S2"]
    assert view.filtered.headerData(1, Qt.Orientation.Horizontal) == "Last"
