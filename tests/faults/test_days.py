"""Days full of faults: nothing is lost, nothing is doubled, and every day can be lived again from its seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.plan import Fault

ASIDE = ("nice", "-n", "10")
"""Virtual days mind no clock: they take what the tests beside them leave, which do."""
DAYS = int(os.environ.get("PADDOCK_FAULT_DAYS", "2000"))
SELDOM = 0.1
"""A fault that strikes in a smaller share of the days would prove little."""
RARE = 0.05
"""The same of what people do."""
VENUE = {
    "forward split",
    "reverse split",
    "cash dividend",
    "closing bell",
    "expired at the bell",
    "sent after the bell",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ASIDE, sys.executable, "-m", "tests.faults", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_whatever_strikes() -> None:
    done = run("--seeds", str(DAYS))
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    told = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert told["days"] == DAYS
    assert told["fills"] > 10 * DAYS, "days in which nothing trades prove nothing"
    done_in = told["share of days in which it was done"]
    assert (
        done_in.keys()
        >= {"bracket", "protect", "change", "waver", "adopt", "somebody else's", "changed by somebody else"} | VENUE
    )
    assert {deed: share for deed, share in done_in.items() if share < RARE} == {}
    shares = told["share of days in which it struck"]
    assert set(shares) == {fault.value for fault in Fault}
    assert {name: share for name, share in shares.items() if share < SELDOM} == {}


@pytest.mark.parametrize("seed", [3, 62, 106])
def test_a_day_is_the_same_each_time_it_is_lived(seed: int) -> None:
    one, two = run("--seed", str(seed)), run("--seed", str(seed))
    assert json.loads(one.stdout)["same twice"]
    assert one.stdout == two.stdout


def test_a_run_that_was_ended_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    tally = str(tmp_path / "days.tally")

    def told(*arguments: str) -> dict[str, object]:
        counted = json.loads(run(*arguments).stdout)
        return {name: counted[name] for name in ("days", "wrong", "orders", "fills", "lives")}

    assert told("--seeds", "3", "--tally", tally)["days"] == 3
    assert told("--seeds", "6", "--tally", tally) == told("--seeds", "6")
    other = run("--seeds", "6", "--first", "1", "--tally", tally)
    assert other.returncode == 1
    assert "name another file" in other.stderr
