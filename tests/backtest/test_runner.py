"""The backtest: by hand, without look-ahead, conserving money, refusing bad data, as a child and from the shell."""

from __future__ import annotations

import asyncio
import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from engine.backtest.report import write_csv, write_html
from engine.backtest.result import BacktestResult, BacktestSpec, Progress, read_result
from engine.backtest.runner import run
from engine.clock import SystemClock
from engine.domain.errors import ConfigurationError, DataError, PaddockError
from engine.domain.market import Timeframe
from engine.processes.job import Job
from tests.shared_data import FOLDER, needs_shared_data

MINUTE = 60 * 10**9
START = 1_700_000_040 * 10**9


def write_bars(path: Path, close: list[float], opening: list[float] | None = None, volume: float = 1e6) -> Path:
    opening = opening or [close[0], *close[:-1]]
    polars.DataFrame(
        {
            "timestamp": [START + i * MINUTE for i in range(len(close))],
            "open": opening,
            "high": [max(a, b) for a, b in zip(opening, close, strict=True)],
            "low": [min(a, b) for a, b in zip(opening, close, strict=True)],
            "close": close,
            "volume": [volume] * len(close),
        }
    ).with_columns(polars.from_epoch("timestamp", time_unit="ns")).write_parquet(path)
    return path


def backtest(path: Path, **changes: Any) -> BacktestResult:
    fields = {
        "strategy": "sma-cross", "symbol": "TEST", "path": str(path), "parameters": {"fast": 1, "slow": 2},
        "capital": 1_000.0, "slippage_bps": 0.0,
    }  # fmt: skip
    seen: list[Progress] = []
    result = run(BacktestSpec(**{**fields, **changes}), seen.append, "run", 1)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    return result


def test_by_hand(tmp_path: Path) -> None:
    """Up at bar 2: bought at bar 3's open of 12. Down at bar 4: sold at bar 5's open of 9.

    Sized at the close of 11 it would be 90 shares, but at 12 the 1000 dollars pay for 83.
    """
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 10, 9, 9], [10, 10, 10, 12, 12, 9, 9])
    result = backtest(path)
    [trade] = result.trades
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.pnl) == (83, 12, 9, -249)
    assert (trade.opened_at, trade.closed_at) == (START + 3 * MINUTE, START + 5 * MINUTE)
    assert trade.bars_held == 2
    assert result.equity == [1000, 1000, 1000, 1000, 834, 751, 751]
    assert result.position == [0, 0, 0, 83, 83, 0, 0]
    assert result.metrics["total_return"] == pytest.approx(-0.249)
    assert result.metrics["max_drawdown"] == pytest.approx(-0.249)
    assert result.metrics["exposure"] == pytest.approx(2 / 7)


def test_costs_are_paid(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 10, 9, 9], [10, 10, 10, 12, 12, 9, 9])
    dear = backtest(path, commission_per_share=0.01, commission_percent=0.1, slippage_bps=10)
    [trade] = dear.trades
    assert trade.entry_price == pytest.approx(12 * 1.001, abs=1e-4)
    assert trade.exit_price == pytest.approx(9 * 0.999, abs=1e-4)
    expected = trade.quantity * (0.02 + 0.001 * (trade.entry_price + trade.exit_price))
    assert dear.metrics["fees"] == pytest.approx(expected, rel=1e-6)
    assert dear.equity[-1] == pytest.approx(1000 + trade.pnl)


def test_an_order_takes_no_more_than_its_share_of_a_bar(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 13, 14, 15, 16], volume=200)
    result = backtest(path, participation=0.1)
    assert np.diff([0, *result.position]).max() <= 20
    assert result.position[3:6] == [20, 40, 60]


def random_walk(count: int, seed: int = 1) -> list[float]:
    return (100 * np.exp(np.random.default_rng(seed).normal(0, 0.002, count).cumsum())).tolist()


@pytest.mark.parametrize("strategy", [("sma-cross", {"fast": 5, "slow": 20}), ("rsi-reversion", {"length": 5})])
@pytest.mark.parametrize("allow_short", [True, False])
def test_the_future_does_not_reach_back(
    tmp_path: Path, strategy: tuple[str, dict[str, Any]], allow_short: bool
) -> None:
    name, parameters = strategy
    walk = random_walk(900)
    other = [*walk[:600], *(price * 3 for price in random_walk(300, 2))]
    one, two = (
        backtest(
            write_bars(tmp_path / f"{i}.parquet", w), strategy=name, parameters=parameters, allow_short=allow_short
        )
        for i, w in enumerate((walk, other))
    )
    assert one.equity[:600] == two.equity[:600]
    assert one.equity[600:] != two.equity[600:]


@pytest.mark.parametrize("allow_short", [True, False])
def test_equity_is_cash_and_position_and_trades_explain_it(tmp_path: Path, allow_short: bool) -> None:
    path = write_bars(tmp_path / "T.parquet", [*random_walk(2_000), *[100.0] * 50])
    result = backtest(
        path, capital=100_000.0, parameters={"fast": 3, "slow": 9}, allow_short=allow_short, slippage_bps=2,
        commission_per_share=0.005,
    )  # fmt: skip
    assert len(result.trades) > 50
    assert result.position[-1] == 0
    assert result.equity[-1] - 100_000 == pytest.approx(sum(trade.pnl for trade in result.trades), abs=1e-4)
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert allow_short == any(position < 0 for position in result.position)


def test_a_run_without_trades_has_figures(tmp_path: Path) -> None:
    result = backtest(write_bars(tmp_path / "T.parquet", [10.0] * 50))
    assert result.trades == []
    assert set(result.metrics.values()) <= {0.0, 1000.0}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"close": [10.0, None, 10.0]}, "row 2: close"),
        ({"close": [10.0, -1.0, 10.0], "low": [9.0, -1.0, 9.0]}, "row 2: low is not above zero"),
        ({"timestamp": [1, 3, 2]}, "row 3: it is older"),
        ({"timestamp": [1, 2, 2]}, "row 3: the same timestamp"),
        ({"high": [11.0, 9.0, 11.0]}, "row 2: high is below"),
        ({"volume": [1.0, 1.0, -1.0]}, "volume"),
        ({"close": ["10", "y", "z"]}, "row 2: close is missing or not a number"),
        ({"timestamp": [1, None, 3]}, "row 2: timestamp is missing"),
        ({"timestamp": ["2024-01-02T14:30:00Z", "soon", "later"]}, "row 2: timestamp is missing or not a time"),
        ({"open": [[1.0], [2.0], [3.0]]}, "cannot be read as bars"),
        ({"volume": [float("inf")] * 3}, "row 1: volume is missing"),
        ({"close": None}, "no column close"),
    ],
)
def test_bad_bars_are_refused_by_row(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    columns: dict[str, Any] = {
        "timestamp": [1, 2, 3], "open": [10.0] * 3, "high": [11.0] * 3, "low": [9.0] * 3, "close": [10.0] * 3,
        "volume": [1.0] * 3, **change,
    }  # fmt: skip
    path = tmp_path / "T.parquet"
    polars.DataFrame({name: values for name, values in columns.items() if values is not None}).write_parquet(path)
    with pytest.raises(DataError, match=said) as caught:
        backtest(path)
    assert caught.value.remedy


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "T.parquet").write_bytes(b"garbage")
    for path in (tmp_path / "T.parquet", tmp_path / "absent.csv"):
        with pytest.raises(DataError):
            backtest(path)
    path = write_bars(tmp_path / "U.parquet", random_walk(100))
    with pytest.raises(DataError, match="between these dates"):
        backtest(path, start="2030-01-01")
    with pytest.raises(ConfigurationError, match="not a date"):
        backtest(path, start="tomorrow")
    with pytest.raises(DataError, match="too few"):
        backtest(path, parameters={"fast": 10, "slow": 200})


@needs_shared_data
def test_real_bars_and_longer_ones() -> None:
    spy = FOLDER / "bars_1min" / "SPY.parquet"
    minutes = backtest(spy, capital=1e5, parameters={"fast": 10, "slow": 30})
    hours = backtest(spy, capital=1e5, parameters={"fast": 2, "slow": 4}, timeframe=Timeframe.HOUR_1)
    assert len(hours.timestamps) < len(minutes.timestamps) / 30
    assert minutes.close[-1] == hours.close[-1]
    assert len(minutes.trades) > 20


def test_the_report_is_escaped_and_whole(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", random_walk(500))
    result = backtest(path, symbol="<script>alert(1)</script>", parameters={"fast": 3, "slow": 9})
    html = write_html(result, tmp_path / "r.html").read_text()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == len(result.trades) + 1
    assert "http" not in html.replace("http-equiv", "")
    write_csv(backtest(path, symbol="=cmd()"), tmp_path / "r.csv")
    rows = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert all(row["symbol"] == "'=cmd()" for row in rows)
    assert len((tmp_path / "r-equity.csv").read_text().splitlines()) == 501
    with pytest.raises(DataError, match="cannot be written"):
        write_html(result, tmp_path / "absent" / "r.html")


async def begin(path: Path, folder: Path, **changes: Any) -> Job:
    spec = BacktestSpec(strategy="sma-cross", symbol="T", path=str(path), **changes)
    return await Job.begin(
        "backtest", "test", {"spec": spec, "folder": str(folder), "run_id": "01"}, SystemClock(), lambda event: None
    )


async def test_a_child_runs_it_and_saves_the_result(tmp_path: Path) -> None:
    job = await begin(write_bars(tmp_path / "T.parquet", random_walk(3_000)), tmp_path)
    seen = [fields["done"] async for fields in job.progress()]
    assert len(seen) > 3
    fields = await job.result()
    assert read_result(Path(fields["path"])).run_id == "01"


async def test_a_child_tells_what_is_wrong_and_a_cancelled_one_writes_nothing(tmp_path: Path) -> None:
    job = await begin(tmp_path / "absent.parquet", tmp_path)
    with pytest.raises(PaddockError, match="There is no file"):
        await job.result()
    job = await begin(write_bars(tmp_path / "T.parquet", random_walk(200_000)), tmp_path)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job.result()
    assert not (tmp_path / "01").exists()


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engine.cli", "backtest", *arguments], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_from_the_shell(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", random_walk(2_000))
    report = tmp_path / "r.html"
    good = shell("sma-cross", "--data", str(path), "--param", "fast=5", "--param", "slow=20", "--report", str(report))
    assert good.returncode == 0, good.stderr
    assert "total return" in good.stdout
    assert report.is_file()
    for arguments, code, said in (
        (("moon", "--data", str(path)), 64, "sma-cross"),
        (("sma-cross", "--data", str(path), "--param", "fast=0"), 64, "fast"),
        (("sma-cross", "--data", str(path), "--param", "fast"), 64, "name=value"),
        (("sma-cross", "--data", str(path), "--report", "x.pdf"), 64, ".html"),
        (("sma-cross", "--data", "/nonexistent.csv"), 65, "There is no file"),
    ):
        bad = shell(*arguments)
        assert (bad.returncode, "Traceback" in bad.stderr) == (code, False)
        assert said in bad.stderr
