"""Two hundred random faults over twelve real workers, and parents killed at random: nothing is lost, shown wrong or left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.children import chaos, parents


@pytest.mark.timeout(240)
async def test_two_hundred_faults_are_each_noticed_mended_and_told(tmp_path: Path) -> None:
    report = await chaos.run(200, 1, tmp_path)
    assert report.problems == []
    assert report.faults == 200
    assert len(report.struck) == len(chaos.FAULTS) - len(chaos.RESERVED) + 1, "every kind"
    assert report.stalls == []


@pytest.mark.timeout(240)
def test_twenty_parents_are_killed_and_leave_no_worker_behind() -> None:
    report = parents.kill_many(20, 1, at_once=4)
    assert report.problems == []
