"""A backtest as a child of the console, and from the shell."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.backtest.result import BacktestSpec, read_result
from engine.clock import SystemClock
from engine.domain.errors import PaddockError
from engine.processes.job import Job
from tests.backtest.bars import random_walk, write_bars


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
    assert "strategy     buy and hold" in good.stdout
    [line] = [line for line in good.stdout.splitlines() if line.startswith("  total return")]
    assert line.count("%") == 2
    assert report.is_file()
    for arguments, code, said in (
        (("moon", "--data", str(path)), 64, "sma-cross"),
        (("sma-cross", "--data", str(path), "--param", "fast=0"), 64, "fast"),
        (("sma-cross", "--data", str(path), "--param", "fast"), 64, "name=value"),
        (("sma-cross", "--data", str(path), "--report", "x.pdf"), 64, ".html"),
        (("sma-cross", "--data", str(path), "--report", "/nonexistent/r.html"), 64, "There is no folder"),
        (("sma-cross", "--data", str(path), "--timeframe", "2m"), 64, "1m, 5m"),
        (("sma-cross", "--data", "/nonexistent.csv"), 65, "There is no file"),
    ):
        bad = shell(*arguments)
        assert (bad.returncode, "Traceback" in bad.stderr) == (code, False)
        assert said in bad.stderr
