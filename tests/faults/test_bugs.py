"""The days of faults can fail: each planted bug is caught."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.faults.bugs import BUGS
from tests.faults.test_days import ASIDE

MOST = 400
"""Days within which a bug must show."""


@pytest.fixture(scope="module")
def days_until_caught() -> dict[str, int]:
    """All of them at once, spread over the cores, each in a process of its own: what is planted stays."""
    done = subprocess.run(
        [*ASIDE, sys.executable, "-m", "tests.faults.bugs", "--seeds", str(MOST), "--first"],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["bug"] for one in told} == set(BUGS), done.stderr
    return {one["bug"]: one["caught in days"] for one in told}


def test_there_are_at_least_twenty() -> None:
    assert len(BUGS) >= 20


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_bug_is_caught(name: str, days_until_caught: dict[str, int]) -> None:
    assert days_until_caught[name] == 1
