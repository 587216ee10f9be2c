"""Two hundred random faults over twelve real workers, and parents killed at random: nothing is lost, shown wrong or left."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from tests.faults.children import chaos, parents


@pytest.mark.timeout(240)
def test_two_hundred_faults_are_each_noticed_mended_and_told_while_the_window_never_stalls() -> None:
    """In a process of its own, which has Qt's loop from its beginning, as the console does."""
    command = [sys.executable, "-m", "tests.faults.children", "--window", "--faults", "200", "--heartbeat", "2.5"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=230, check=False)
    assert done.stdout, done.stderr
    report = msgspec.json.decode(done.stdout, type=chaos.Report)
    assert report.problems == []
    assert report.faults == 200
    assert len(report.struck) == len(chaos.FAULTS) - len(chaos.RESERVED) + 1, "every kind"
    assert report.stalls == []
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(240)
def test_twenty_parents_are_killed_and_leave_no_worker_behind() -> None:
    report = parents.kill_many(20, 1, at_once=4)
    assert report.problems == []
