"""The probable cause of an end, rule by rule, from what is known of it."""

from __future__ import annotations

from signal import SIGABRT, SIGKILL, SIGSEGV, SIGTERM
from typing import Any

import pytest

from engine.processes import causes
from engine.processes.causes import Cause, Evidence, probable_cause

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        ({"exit_code": 1, "lines": "Traceback …\nMemoryError"}, causes.OUT_OF_MEMORY),
        ({"exit_code": 1, "lines": "OSError: [Errno 12] Cannot allocate memory"}, causes.OUT_OF_MEMORY),
        ({"exit_code": -SIGKILL, "system_killed": 1}, causes.OUT_OF_MEMORY),
        ({"exit_code": -SIGKILL, "memory": (GB, 7 * GB), "machine_memory": 8 * GB}, causes.OUT_OF_MEMORY),
        ({"exit_code": -SIGKILL, "memory": (GB,), "machine_memory": 8 * GB}, causes.BY_HAND),
        ({"exit_code": -SIGTERM}, causes.BY_HAND),
        ({"exit_code": 64}, causes.BAD_CONFIGURATION),
        ({"exit_code": 77}, causes.KEYS),
        ({"exit_code": 1, "lines": "auth failed (code 402)"}, causes.KEYS),
        ({"exit_code": 69}, causes.NO_HUB),
        ({"exit_code": 1, "lines": "ConnectionRefusedError: [Errno 111] Connection refused"}, causes.NO_HUB),
        ({"exit_code": 1, "lines": "AssertionError: a bar without a close"}, causes.ASSERTION),
        ({"exit_code": -SIGABRT, "lines": "Assertion `n > 0' failed."}, causes.ASSERTION),
        ({"exit_code": -SIGSEGV}, causes.NATIVE_CRASH),
        ({"exit_code": 1, "lines": "OSError: [Errno 28] No space left on device"}, causes.DISK_FULL),
        ({"exit_code": 1, "lines": "sqlite3.OperationalError: database or disk is full"}, causes.DISK_FULL),
        ({"exit_code": -SIGKILL, "hung": True, "lines": "MemoryError"}, causes.HANG),
        ({"exit_code": 0, "recycled": True}, causes.LIMIT),
        ({"exit_code": 3, "lines": "something else"}, None),
        ({"exit_code": None}, None),
    ],
)
def test_the_first_rule_that_fits_names_the_cause(known: dict[str, Any], cause: Cause | None) -> None:
    assert probable_cause(Evidence(**known)) is cause


def test_every_cause_says_what_to_do() -> None:
    assert all(cause.remedy and cause.text for _, cause in causes.RULES)
    assert len({cause.name for _, cause in causes.RULES}) == len(causes.RULES)
