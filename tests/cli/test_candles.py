"""`paddock history candles`: recorded trades become the official minute bars, and files that are no trades are told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from tests.cli.test_history import history
from tests.shared_data import FOLDER, needs_shared_data

COLUMNS = ["timestamp", "open", "high", "low", "close", "volume", "vwap", "trades"]
MORNING = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["history", "candles", *arguments])
    return found.exit_code, found.output


def write(path: Path, **columns: Any) -> Path:
    pl.DataFrame(columns).write_parquet(path)
    return path


def trades(count: int = 120, seconds: int = 1, **more: Any) -> dict[str, Any]:
    start = pl.Series([MORNING]).cast(pl.Datetime("ns", "UTC")).to_physical()[0]
    times = pl.Series([start + i * seconds * 10**9 for i in range(count)]).cast(pl.Datetime("ns", "UTC"))
    return {"timestamp": times, "price": [100.0 + i % 3 for i in range(count)], "size": [1] * count} | more


@needs_shared_data
async def test_recorded_trades_of_two_days_become_the_official_minutes(tmp_path: Path) -> None:
    """What differs are prints at the very edge of a minute, and a few blocks that the official volume left out."""
    out = tmp_path / "IBM.parquet"
    files = sorted((FOLDER / "trades" / "IBM").glob("*.parquet"))
    words = (*map(str, reversed(files)), "--timeframe", "1m", "--sessions", "regular", "--out", str(out))
    code, said, err = await history("candles", *words)
    assert (code, err) == (0, "")
    assert "780 candles of 1m" in said
    ours = pl.read_parquet(out)
    assert ours.columns == COLUMNS
    assert ours["timestamp"].dtype == pl.Datetime("ns", "UTC")
    official = pl.read_parquet(FOLDER / "bars_1min" / "IBM.parquet")
    joined = ours.join(official.with_columns(pl.col("timestamp").cast(pl.Datetime("ns", "UTC"))), on="timestamp")
    assert len(joined) == 780
    for column in ("open", "high", "low", "close"):
        assert ((joined[column] - joined[f"{column}_right"]).abs() < 1e-6).mean() >= 0.995, column
    assert ((joined["volume"] - joined["volume_right"]).abs() < 1e-6).mean() >= 0.989
    assert ((joined["vwap"] <= joined["high"] + 0.5) & (joined["vwap"] >= joined["low"] - 0.5)).all()


def test_sessions_timeframes_and_trade_ids_are_heeded(tmp_path: Path) -> None:
    path = write(tmp_path / "SPY.parquet", **trades(600, 60, trade_id=[i // 2 + 1 for i in range(600)]))
    rows = {}
    for sessions in ("regular", "extended", "all"):
        out = tmp_path / f"{sessions}.parquet"
        code, said = run(str(path), "--sessions", sessions, "--timeframe", "5m", "--out", str(out))
        assert code == 0, said
        rows[sessions] = pl.read_parquet(out)
    assert {name: len(frame) for name, frame in rows.items()} == {"regular": 78, "extended": 120, "all": 120}
    assert rows["all"]["timestamp"].is_sorted()
    doubled = write(tmp_path / "twice.parquet", **trades(10, 1, trade_id=[1] * 10, exchange=["V"] * 10))
    again = pl.concat([pl.read_parquet(doubled)] * 2)
    again.write_parquet(doubled)
    out = tmp_path / "once.parquet"
    code, said = run(str(doubled), "--sessions", "all", "--out", str(out))
    assert (code, "10 trades left out: told before" in said) == (0, True)
    assert pl.read_parquet(out)["volume"].sum() == 10


def test_conditions_of_the_tape_are_heeded_as_one_word_or_as_a_list(tmp_path: Path) -> None:
    for name, odd_lot in (("condition", "I"), ("conditions", ["@", "I"])):
        plain = "" if name == "condition" else ["@"]
        data = trades(3) | {"price": [10.0, 99.0, 11.0], name: [plain, odd_lot, plain]}
        path, out = write(tmp_path / f"{name}.parquet", **data), tmp_path / "out.parquet"
        assert run(str(path), "--sessions", "all", "--out", str(out))[0] == 0
        assert pl.read_parquet(out).select("open", "high", "low", "close", "volume").rows() == [
            (10.0, 11.0, 10.0, 11.0, 3.0)
        ]


def test_what_is_no_recording_of_one_symbol_is_told_with_a_remedy(tmp_path: Path) -> None:
    good = write(tmp_path / "good.parquet", **trades(symbol=["SPY"] * 120))
    other = write(tmp_path / "other.parquet", **trades(symbol=["IBM"] * 120))
    empty = write(tmp_path / "empty.parquet", timestamp=[], price=[], size=[])
    words = write(tmp_path / "words.parquet", timestamp=["a"], price=["b"], size=[1])
    narrow = write(tmp_path / "narrow.parquet", timestamp=[1], price=[1.0])
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(b"PAR1 and no more")
    out = str(tmp_path / "out.parquet")
    for arguments, code, said in (
        ((str(tmp_path / "nowhere.parquet"), "--out", out), 65, "There is no file"),
        ((str(torn), "--out", out), 65, "cannot be read as Parquet"),
        ((str(narrow), "--out", out), 65, "has no column size"),
        ((str(empty), "--out", out), 65, "has no rows"),
        ((str(words), "--out", out), 65, "does not hold trades"),
        ((str(good), str(other), "--out", out), 65, "several symbols: IBM, SPY"),
        ((str(good), "--out", str(tmp_path / "out.csv")), 64, "not a .parquet"),
        ((str(good), "--out", str(tmp_path / "no/folder.parquet")), 64, "There is no folder"),
        ((str(good), "--timeframe", "2m", "--out", out), 64, "no timeframe 2m"),
    ):
        found, output = run(*arguments)
        assert (found, said in output) == (code, True), output
    assert not Path(out).exists()


@pytest.mark.parametrize("sessions", ["regular", "extended"])
def test_trades_outside_all_sessions_make_no_candle(tmp_path: Path, sessions: str) -> None:
    night = trades()
    night["timestamp"] = night["timestamp"].dt.offset_by("-8h")
    path = write(tmp_path / "SPY.parquet", **night)
    code, said = run(str(path), "--sessions", sessions, "--out", str(tmp_path / "out.parquet"))
    assert (code, "No candle came of these trades" in said) == (65, True)
