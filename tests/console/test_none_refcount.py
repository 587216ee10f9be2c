"""PySide6 6.12 loses a reference to None at every timer event on Python 3.11 and dies of it; our pin must not."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]
TURNS = 20_000
TOLERANCE = 200
"""References that come and go with caches; a leak of one a turn would be a hundred times as many."""

SCRIPT = f"""
import asyncio, gc, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
import qasync
app = QApplication([])
loop = qasync.QEventLoop(app)
ticks = 0
def tick():
    global ticks
    ticks += 1
timer = QTimer()
timer.timeout.connect(tick)
timer.start(0)
async def turn(count):
    for _ in range(count):
        await asyncio.sleep(0)
async def main():
    await turn(1_000)
    gc.collect()
    before = sys.getrefcount(None)
    await turn({TURNS})
    gc.collect()
    print(sys.getrefcount(None) - before, ticks)
with loop:
    loop.run_until_complete(main())
"""


def test_the_count_of_none_does_not_drift() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100, check=True)
    drift, ticks = (int(word) for word in run.stdout.split())
    assert ticks > 1_000, "the timer must have run beside the loop"
    assert abs(drift) < TOLERANCE


def test_installation_on_python_3_11_excludes_6_12() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [
        requirement
        for line in project["dependencies"]
        if (requirement := Requirement(line)).name == "PySide6-Essentials"
        and requirement.marker is not None
        and requirement.marker.evaluate({"python_version": "3.11"})
    ]
    assert len(wanted) == 1
    assert not wanted[0].specifier.contains("6.12.0")
    assert wanted[0].specifier.contains("6.11.3")
