"""Kill supervising parents at random moments, and look for children and their children that outlive them."""

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


class ParentsReport(msgspec.Struct, kw_only=True):
    """`left` counts by name what ran when its parent had been reaped, `longest` the seconds until all of it was gone."""

    parents: int
    seconds: float
    left: dict[str, int]
    longest: float
    problems: list[str]


def kill_many(count: int, seed: int, at_once: int) -> ParentsReport:
    began, left, problems = time.perf_counter(), Counter[str](), list[str]()
    longest = 0.0
    with ThreadPoolExecutor(at_once) as pool:
        seeds = range(seed * 100_000, seed * 100_000 + count)
        for number, (names, lasted, wrong) in enumerate(pool.map(_kill_one, seeds)):
            left.update(names)
            longest = max(longest, lasted)
            problems.extend(f"parent {number}: {problem}" for problem in wrong)
    seconds = round(time.perf_counter() - began, 1)
    return ParentsReport(parents=count, seconds=seconds, left=dict(left), longest=round(longest, 2), problems=problems)


def _kill_one(seed: int) -> tuple[list[str], float, list[str]]:
    """What ran at the moment of the parent's end by name, for how long some of it ran on, and what was wrong."""
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
        left, lasted, orphans = _wait_until_gone(mark)
        found = sweep([Path(folder) / "children.json"])
    unswept = [] if len(found) == len(orphans) else [f"{len(found)} of {len(orphans)} orphans were swept"]
    return left, lasted, [f"an orphan: {name}" for name in orphans] + unswept


def _wait_until_gone(mark: str) -> tuple[list[str], float, list[str]]:
    """Names of what runs now, for how many seconds some of it does, and what of it has outlived its time."""
    began = time.perf_counter()
    left = names = _names(mark)
    while names and time.perf_counter() - began < ORPHANS_LAST:
        time.sleep(0.1)
        names = _names(mark)
    return left, time.perf_counter() - began, names


def _names(mark: str) -> list[str]:
    found: list[str] = []
    for process in marked(mark):
        try:
            found.append(process.name())
        except psutil.Error:
            continue
    return found
