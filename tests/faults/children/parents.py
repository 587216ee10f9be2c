"""Kill supervising parents at random moments, and look for children that outlive them and the next start."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil

from engine.processes.registry import sweep
from tests.faults.children.auditor import marked

LONGEST_LIFE = 2.5
ORPHANS_LAST = 3.0
GRANDCHILD = "sleep"


class ParentsReport(msgspec.Struct, kw_only=True):
    """`left` counts what a killed parent left, `swept` what the next start ended."""

    parents: int
    seconds: float
    left: dict[str, int]
    swept: int
    problems: list[str]


def kill_many(count: int, seed: int, at_once: int) -> ParentsReport:
    began, left, problems = time.perf_counter(), Counter[str](), list[str]()
    swept = 0
    with ThreadPoolExecutor(at_once) as pool:
        for number, (names, found, wrong) in enumerate(
            pool.map(_kill_one, range(seed * 100_000, seed * 100_000 + count))
        ):
            left.update(names)
            swept += found
            problems.extend(f"parent {number}: {problem}" for problem in wrong)
    seconds = round(time.perf_counter() - began, 1)
    return ParentsReport(parents=count, seconds=seconds, left=dict(left), swept=swept, problems=problems)


def _kill_one(seed: int) -> tuple[list[str], int, list[str]]:
    """What was left for the next start by name, how many the sweep found, and what was wrong."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.children.parent", folder, str(seed)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert parent.stdout is not None
        mark = parent.stdout.readline().strip()
        time.sleep(chance.random() * LONGEST_LIFE)
        parent.kill()
        parent.wait()
        parent.stdout.close()
        left = _wait_for_workers(mark)
        found = len(sweep([Path(folder) / "children.json"]))
        time.sleep(0.05)
        still = [f"{process.pid} lives after the sweep" for process in marked(mark)]
    workers = [f"a worker lived on: {name}" for name in left if name != GRANDCHILD]
    return left, found, workers + still


def _wait_for_workers(mark: str) -> list[str]:
    """Names of what runs on when there has been time enough to notice that the parent is gone."""
    deadline = time.perf_counter() + ORPHANS_LAST
    names = _names(mark)
    while set(names) - {GRANDCHILD} and time.perf_counter() < deadline:
        time.sleep(0.1)
        names = _names(mark)
    return names


def _names(mark: str) -> list[str]:
    found: list[str] = []
    for process in marked(mark):
        try:
            found.append(process.name())
        except psutil.Error:
            continue
    return found
