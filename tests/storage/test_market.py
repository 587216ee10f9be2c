"""The market database on real files: what comes twice, what cannot be written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.domain.errors import DataError
from engine.domain.market import Bar, Timeframe
from engine.storage.market import MarketDatabase
from engine.streams.messages import QuoteState, Signal


def bar(close: float) -> Bar:
    return Bar("SPY", Timeframe.MINUTE_1, 60, 1, 2, 1, close, 5, 1, 1.5, True)


SIGNAL = Signal(
    signal_id="1", sleeve="sma", strategy="sma-cross", symbol="SPY", weight=1, confidence=1, price=2, as_of=1, made_at=2
)
QUOTE = QuoteState("SPY", 1, 1, 2, 3, 4, 5, 6, 7)


def test_a_bar_that_comes_again_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "data" / "market.db"
    database = MarketDatabase(path)
    assert database.write([bar(1.0)], [QUOTE], [SIGNAL]) == 3
    database.write([bar(2.0)], [QUOTE], [SIGNAL])
    database.close()
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT symbol, timeframe, timestamp, close FROM bars").fetchall() == [
            ("SPY", "1m", 60, 2.0)
        ]
        assert reader.execute("SELECT count(*) FROM quotes").fetchone() == (1,)
        assert reader.execute("SELECT signal_id, weight FROM signals").fetchall() == [("1", 1.0)]
    reader.close()


def test_a_write_that_fails_leaves_nothing_behind_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.storage.market.BUSY_TIMEOUT", 0.01)
    database = MarketDatabase(tmp_path / "market.db")
    other = sqlite3.connect(tmp_path / "market.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        database.write([bar(1.0)], [], [])
    other.execute("COMMIT")
    assert database.write([bar(1.0)], [], []) == 1
    assert other.execute("SELECT count(*) FROM bars").fetchone() == (1,)
    other.close()
    database.close()


def test_a_file_that_is_no_database_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "market.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DataError) as error:
        MarketDatabase(tmp_path / "market.db")
    assert error.value.remedy
