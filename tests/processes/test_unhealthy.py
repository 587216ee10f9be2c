"""Children that live and do not do well: hung, stuck, idle, too large; each is found out and replaced."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil

from engine.domain.incidents import IncidentKind
from engine.processes.specification import RestartPolicy
from engine.processes.states import ProcessState
from tests.processes.stage import QUICK, Stage


async def test_a_child_that_hangs_is_replaced(stage: Stage) -> None:
    stage.add("well", heartbeat_timeout=1.0)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = stage.row().pid
    os.kill(first, signal.SIGSTOP)
    await stage.reaches(ProcessState.UNRESPONSIVE, ProcessState.KILLING, ProcessState.BACKOFF)
    await stage.reaches(ProcessState.RUNNING)
    assert stage.row().pid != first
    assert not psutil.pid_exists(first)


async def test_a_child_whose_loop_is_stuck_shows_where_before_it_is_killed(stage: Stage) -> None:
    stage.add("deadlock", heartbeat_timeout=1.0)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    await stage.reaches(ProcessState.BACKOFF)
    assert any("_lock_forever" in line.text for line in stage.supervisor.log("child"))
    assert stage.row().last_exit == "no sign of life for 1 s"


async def test_a_child_that_never_gets_ready_is_not_waited_for(stage: Stage) -> None:
    stage.add("never-ready", ready_timeout=0.5)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    assert "not ready" in stage.row().last_exit


async def test_a_child_that_works_but_of_which_nothing_comes_is_replaced(stage: Stage) -> None:
    stage.add("fruitless")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    assert stage.states()[2:5] == [ProcessState.UNRESPONSIVE, ProcessState.KILLING, ProcessState.BACKOFF]
    (card,) = stage.cards()
    assert (card.kind, card.reason) == (IncidentKind.NO_PROGRESS, "alive, but no progress for 0.5 s")
    assert card.cause.startswith("hang")
    assert any("Current thread" in line for line in card.tail), "the stacks"


async def test_a_child_that_gets_on_is_left_alone(stage: Stage) -> None:
    stage.add("busy", heartbeat_timeout=5)
    await stage.supervisor.start(["child"])
    async with asyncio.timeout(20):
        while stage.row().progress < 5 or not stage.row().progress_rate:  # which is measured over half a second
            await stage.supervisor.sample()
    assert stage.states() == [ProcessState.STARTING, ProcessState.RUNNING]


async def test_over_its_memory_limit_it_is_recycled_and_that_is_no_crash(stage: Stage) -> None:
    stage.add("leak", memory_limit=100_000_000)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = stage.row().pid
    async with asyncio.timeout(20):
        while not stage.row().recycles:
            await stage.supervisor.sample()
    await stage.reaches(ProcessState.RUNNING)
    assert stage.row().pid != first
    assert (stage.row().restarts, stage.row().restarts_left) == (0, QUICK.budget)
    assert stage.states()[2:5] == [ProcessState.STOPPING, ProcessState.STOPPED, ProcessState.STARTING]
    (card,) = stage.cards()
    assert card.kind is IncidentKind.LIMIT
    assert card.exit_code == 0, "asked to stop, not killed"


async def test_a_limit_that_is_reached_again_and_again_is_told_as_fatal(stage: Stage) -> None:
    stage.add("leak", memory_limit=100_000_000, restart=RestartPolicy(budget=0))
    await stage.supervisor.start(["child"])
    async with asyncio.timeout(20):
        while stage.row().state != "FATAL":
            await stage.supervisor.sample()
    assert "memory" in stage.row().last_exit


async def test_near_its_limit_it_is_warned_of(stage: Stage) -> None:
    stage.add("leak", memory_limit=165_000_000)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    async with asyncio.timeout(20):
        while not stage.row().warning:
            await stage.supervisor.sample()
    assert "of 165 MB" in stage.row().warning
    assert stage.states() == [ProcessState.STARTING, ProcessState.RUNNING]
