"""The whole product as a person uses it: the real window, the real engine, all its processes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """Ten days of minutes that rise and fall, so that a crossover trades."""
    path = tmp_path / "WAVE.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "open", "high", "low", "close", "volume"])
        for minute in range(2_000):
            price = 100 + (minute % 200 if minute % 200 < 100 else 200 - minute % 200) / 20
            stamp = f"2024-01-{2 + minute // 390:02d}T{14 + minute % 390 // 60:02d}:{minute % 390 % 60:02d}:00Z"
            writer.writerow([stamp, price, price + 0.1, price - 0.1, price + 0.02, 10_000])
    return path


@pytest.fixture
def seen(tmp_path: Path, bars: Path) -> dict[str, Any]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    environment.pop("PADDOCK_CONFIG", None)
    run = subprocess.run(
        [sys.executable, "-m", "tests.e2e.drive_console", str(tmp_path / "data"), str(bars), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=170,
        env=environment,
        check=False,
    )
    assert run.stdout, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert "failure" not in found, f"{found}\n{run.stderr}"
    assert run.returncode == 0, run.stderr
    return found


def test_a_day_at_the_desk(seen: dict[str, Any], tmp_path: Path) -> None:
    assert seen["first fill"] in {"sma-cross", "rsi-reversion"}
    assert seen["feed restarted"]
    assert seen["bot came back"]
    assert seen["incident told"]
    assert seen["orders by hand"] == 1
    assert seen["cancelled"]
    assert seen["emergency"].startswith("FLAT CONFIRMED")
    assert seen["state after it"] == "HALTED"
    assert seen["errors"] == []
    html = (tmp_path / "report.html").read_text()
    assert "WAVE" in html
    assert "SMA" in html
    assert "WAVE" in (tmp_path / "report.csv").read_text() or (tmp_path / "report.csv").stat().st_size > 100
    assert len(seen["pids"]) >= 6, "the autoscaler may have added a feed on a busy machine"
    assert [pid for pid in seen["pids"] if psutil.pid_exists(pid)] == []
