"""The table model: conflation, typed sorting, filters, rows that come and go."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from console.models.table import Column, FilteredModel, TableModel
from console.panels.columns import position_columns
from engine.tables import Table
from engine.views import QuoteRow

pytestmark = pytest.mark.usefixtures("qapp")

COLUMNS: list[Column[QuoteRow]] = [
    Column("Symbol", lambda row: row.symbol),
    Column("Last", lambda row: f"{row.last:.2f}", lambda row: row.last, right=True),
]


def quote(symbol: str, last: float) -> QuoteRow:
    return QuoteRow(symbol=symbol, last=last)


@pytest.fixture
def table() -> Table[QuoteRow]:
    return Table(1_000)


@pytest.fixture
def model(table: Table[QuoteRow]) -> TableModel[QuoteRow]:
    model = TableModel(table, COLUMNS)
    model._tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)  # type: ignore[attr-defined]
    return model


def texts(model: Any, column: int = 0) -> list[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_ten_thousand_updates_between_two_frames_are_one_change(
    table: Table[QuoteRow], model: TableModel[QuoteRow]
) -> None:
    table.put("SPY", quote("SPY", 1.0))
    model.refresh()
    changes: list[tuple[QModelIndex, QModelIndex]] = []
    model.dataChanged.connect(lambda first, last, _=None: changes.append((first, last)))
    for number in range(10_000):
        table.put("SPY", quote("SPY", float(number)))
    model.refresh()
    assert [(first.column(), last.column()) for first, last in changes] == [(1, 1)]
    assert texts(model, 1) == ["9999.00"]


def test_a_value_that_looks_the_same_repaints_nothing(table: Table[QuoteRow], model: TableModel[QuoteRow]) -> None:
    table.put("SPY", quote("SPY", 1.001))
    model.refresh()
    changes: list[object] = []
    model.dataChanged.connect(lambda *_: changes.append(_))
    table.put("SPY", quote("SPY", 1.002))
    model.refresh()
    assert changes == []


def test_rows_come_and_go(table: Table[QuoteRow], model: TableModel[QuoteRow]) -> None:
    for symbol in ("A", "B", "C"):
        table.put(symbol, quote(symbol, 1.0))
    model.refresh()
    table.remove("B")
    table.put("D", quote("D", 1.0))
    model.refresh()
    assert texts(model) == ["A", "C", "D"]


def test_numbers_sort_as_numbers(table: Table[QuoteRow], model: TableModel[QuoteRow]) -> None:
    for symbol, last in (("A", 9.0), ("B", 100.0), ("C", 20.0)):
        table.put(symbol, quote(symbol, last))
    model.refresh()
    proxy = FilteredModel(model)
    proxy.sort(1, Qt.SortOrder.AscendingOrder)
    assert texts(proxy) == ["A", "C", "B"]


def test_filters_by_text_and_by_rule(table: Table[QuoteRow], model: TableModel[QuoteRow]) -> None:
    for symbol, last in (("AAPL", 9.0), ("SPY", 100.0)):
        table.put(symbol, quote(symbol, last))
    model.refresh()
    proxy = FilteredModel(model)
    proxy.setFilterFixedString("spy")
    assert texts(proxy) == ["SPY"]
    proxy.setFilterFixedString("")
    proxy.accept_only(lambda row: row.last < 50)
    assert texts(proxy) == ["AAPL"]


def test_a_bounded_table_drops_the_oldest_row_in_the_window_too() -> None:
    table: Table[QuoteRow] = Table(2)
    model = TableModel(table, COLUMNS)
    for symbol in ("A", "B", "C"):
        table.put(symbol, quote(symbol, 1.0))
        model.refresh()
    assert texts(model) == ["B", "C"]
    assert table.dropped == 1


def test_every_column_is_named_once() -> None:
    titles = [column.title for column in position_columns()]
    assert len(titles) == len(set(titles))
