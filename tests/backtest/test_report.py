"""Reports: whole, escaped, safe in a spreadsheet, and never half-written."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from engine.backtest import report
from engine.backtest.report import write_csv, write_html
from engine.backtest.svg import turning_rows
from engine.domain.errors import DataError
from tests.backtest.bars import START, backtest, random_walk, write_bars


class Page(HTMLParser):
    """The rows of each table, and everything that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset"}]
        if tag in {"script", "link", "iframe", "img"}:
            self.fetched.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


def test_the_page_shows_the_figures_beside_buy_and_hold_and_every_trade(tmp_path: Path) -> None:
    result = backtest(write_bars(tmp_path / "T.parquet", random_walk(500)), parameters={"fast": 3, "slow": 9})
    page = Page(write_html(result, tmp_path / "r.html").read_text())
    assert page.fetched == []
    assert page.rows[1] == [
        "total return", f"{result.metrics['total_return']:.2%}", f"{result.metrics['benchmark_return']:.2%}"
    ]  # fmt: skip
    trades = [row for row in page.rows if row[0] == "long"]
    assert len(trades) == len(result.trades) > 10
    assert trades[0][3:6] == [
        f"{result.trades[0].quantity:g}", f"{result.trades[0].entry_price:.2f}", f"{result.trades[0].exit_price:.2f}"
    ]  # fmt: skip


def test_nothing_in_a_report_is_taken_for_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    result = backtest(write_bars(tmp_path / "<img src=x>.parquet", random_walk(100)), symbol=evil)
    text = write_html(result, tmp_path / "r.html").read_text()
    assert Page(text).fetched == []
    assert "&lt;script&gt;" in text
    assert "&lt;img" in text


def test_a_page_says_when_it_does_not_show_all_trades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "TRADES_SHOWN", 5)
    result = backtest(write_bars(tmp_path / "T.parquet", random_walk(500)), parameters={"fast": 3, "slow": 9})
    text = write_html(result, tmp_path / "r.html").read_text()
    assert f"The first 5 of {len(result.trades)} trades" in text
    assert sum(row[0] == "long" for row in Page(text).rows) == 5


def test_the_tables_hold_the_run(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", random_walk(500))
    result = backtest(path, symbol="=cmd()", parameters={"fast": 3, "slow": 9})
    write_csv(result, tmp_path / "r.csv")
    trades = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [float(row["pnl"]) for row in trades] == [trade.pnl for trade in result.trades]
    assert {row["symbol"] for row in trades} == {"'=cmd()"}
    equity = list(csv.DictReader((tmp_path / "r-equity.csv").read_text().splitlines()))
    assert [float(row["equity"]) for row in equity] == result.equity
    assert equity[0]["timestamp"] == "2023-11-14T22:14:00+00:00"
    assert result.timestamps[0] == START
    figures = dict(csv.reader((tmp_path / "r-figures.csv").read_text().splitlines()[1:]))
    assert {name: float(value) for name, value in figures.items()} == result.metrics


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = backtest(write_bars(tmp_path / "T.parquet", random_walk(100)))
    with pytest.raises(DataError, match="cannot be written"):
        write_html(result, tmp_path / "absent" / "r.html")
    old = tmp_path / "r.html"
    old.write_text("old")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        write_html(result, old)
    assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.parquet", "r.html"]


def test_a_drawing_keeps_the_deepest_point() -> None:
    values = np.ones(100_000)
    values[54_321] = -7.0
    rows = turning_rows(values, 400)
    assert len(rows) <= 802
    assert values[rows].min() == -7.0
    assert (rows[0], rows[-1]) == (0, 99_999)
