"""Nothing is left behind: what children start ends with them, and they with the parent, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from engine.processes.guard import GUARD
from engine.processes.registry import ChildRegistry
from engine.processes.states import ProcessState
from tests.processes.stage import ORPHANS_LAST, Stage
from tests.waiting import until


async def test_what_a_child_started_goes_with_it(stage: Stage) -> None:
    grandchild = await _killed_before(stage, "family")
    async with asyncio.timeout(10):
        with contextlib.suppress(psutil.NoSuchProcess):
            while grandchild.status() != psutil.STATUS_ZOMBIE:
                await stage.supervisor.sample()
    assert ProcessState.UNRESPONSIVE not in stage.states(), "its end is seen though a grandchild holds its pipes"


async def test_a_grandchild_that_left_the_group_does_not_hide_the_end_and_ends_with_its_own_parent(
    stage: Stage,
) -> None:
    first = await _killed_before(stage, "detached")
    assert ProcessState.UNRESPONSIVE not in stage.states()
    await stage.reaches(ProcessState.RUNNING)
    await until(lambda: not _runs(first), ORPHANS_LAST)
    second = psutil.Process(int(stage.row().detail))
    assert _runs(second), "what belongs to the life that followed is left alone"
    await stage.supervisor.stop(["child"])
    await until(lambda: not _runs(second), ORPHANS_LAST)


async def _killed_before(stage: Stage, kind: str) -> psutil.Process:
    """A process that a child of that kind had started when it was killed."""
    stage.add(kind)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    started = psutil.Process(int(stage.row().detail))
    os.kill(stage.row().pid, signal.SIGKILL)
    await stage.reaches(ProcessState.BACKOFF)
    return started


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


async def test_running_children_are_on_file_until_they_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "children.json"
    stage = Stage(ChildRegistry(path))
    stage.add("well")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    async with asyncio.timeout(10):
        while not path.exists():
            await stage.supervisor.sample()
    assert str(stage.row().pid) in path.read_text()
    await stage.supervisor.stop_all()
    assert not path.exists()


def test_children_and_what_they_started_die_with_a_parent_that_is_killed() -> None:
    """Also what left its child's group, and a child that ignores every request."""
    parent = subprocess.Popen([sys.executable, "-m", "tests.processes.parent"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    family = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(family) == 5
    (guard,) = set(psutil.Process(parent.pid).children()) - set(family)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=ORPHANS_LAST)
    assert alive == []
    assert psutil.wait_procs([guard], timeout=10)[1] == [], "it goes when it has nothing left to do"


async def test_what_ends_orphans_is_replaced_when_it_was_killed(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    first = GUARD.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: GUARD.pid != first)
    assert psutil.pid_exists(GUARD.pid)
