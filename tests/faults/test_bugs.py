"""The days of faults can fail: each planted bug is caught."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.faults.bugs import BUGS

MOST = 400
"""Days within which a bug must show."""


def test_there_are_at_least_twenty() -> None:
    assert len(BUGS) >= 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_bug_is_caught(name: str) -> None:
    """In a process of its own: what is planted stays."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.bugs", "--only", name, "--seeds", str(MOST), "--first"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["caught in days"] == 1
