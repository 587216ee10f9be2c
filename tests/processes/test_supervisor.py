"""The supervisor with real children: they crash, hang, flood, refuse to go, and lose their parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from engine.clock import SystemClock
from engine.domain.errors import UnavailableError
from engine.processes.events import LogRecord, ProcessEvent, StateChanged
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.views import ProcessRow, Table

COMMAND = (sys.executable, "-m", "tests.processes.worker")
QUICK = RestartPolicy(first=0.02, longest=0.1, budget=3)


class Stage:
    def __init__(self) -> None:
        self.events: list[ProcessEvent] = []
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(self.table, SystemClock(), log_folder=None, on_event=self.events.append, seed=1)

    def add(self, mode: str, name: str = "child", **limits: Any) -> None:
        limits = {"restart": QUICK, "stop_wait": 2.0, **limits}
        self.supervisor.add(
            ProcessSpec(
                name=name, kind="test", group="test", command=COMMAND, settings=lambda: {"mode": mode}, **limits
            )
        )

    def row(self, name: str = "child") -> ProcessRow:
        row = self.table.get(name)
        assert row is not None
        return row

    async def reaches(self, *states: ProcessState, name: str = "child") -> ProcessState:
        return await self.supervisor.wait_state(name, states, 20)

    def states(self) -> list[ProcessState]:
        return [event.new for event in self.events if isinstance(event, StateChanged)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.supervisor.stop_all()


async def test_a_child_is_started_heard_and_stopped(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    pid = stage.row().pid
    assert psutil.pid_exists(pid)
    assert stage.row().detail == "here"
    await stage.supervisor.stop(["child"])
    assert stage.row().state == "STOPPED"
    assert not psutil.pid_exists(pid)
    records = [event for event in stage.events if isinstance(event, LogRecord)]
    assert [(record.text, record.remedy) for record in records] == [("hello", "greet back")]


async def test_a_killed_child_comes_back(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = stage.row().pid
    os.kill(first, signal.SIGKILL)
    await stage.reaches(ProcessState.BACKOFF)
    await stage.reaches(ProcessState.RUNNING)
    assert stage.row().pid != first
    assert stage.row().restarts == 1
    assert stage.row().last_exit == "killed by SIGKILL"


async def test_what_a_child_started_goes_with_it(stage: Stage) -> None:
    stage.add("family")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    grandchild = psutil.Process(int(stage.row().detail))
    os.kill(stage.row().pid, signal.SIGKILL)
    await stage.reaches(ProcessState.BACKOFF)
    async with asyncio.timeout(10):
        with contextlib.suppress(psutil.NoSuchProcess):
            while grandchild.status() != psutil.STATUS_ZOMBIE:
                await stage.supervisor.sample()


async def test_a_crash_loop_ends_in_fatal_and_a_person_can_start_it_again(stage: Stage) -> None:
    stage.add("crash")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.FATAL)
    assert stage.states().count(ProcessState.STARTING) == QUICK.budget + 1
    assert "SIGSEGV" in stage.row().last_exit
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)


async def test_a_configuration_error_is_fatal_at_once_in_the_childs_own_words(stage: Stage) -> None:
    stage.add("misconfigured")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.FATAL)
    assert stage.states() == [ProcessState.STARTING, ProcessState.FATAL]
    assert "exit code 64: configuration: The colour is wrong." in stage.row().last_exit


async def test_a_child_that_hangs_is_replaced(stage: Stage) -> None:
    stage.add("well", heartbeat_timeout=1.5)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = stage.row().pid
    os.kill(first, signal.SIGSTOP)
    await stage.reaches(ProcessState.UNRESPONSIVE, ProcessState.KILLING, ProcessState.BACKOFF)
    await stage.reaches(ProcessState.RUNNING)
    assert stage.row().pid != first
    assert not psutil.pid_exists(first)


async def test_a_child_whose_loop_is_stuck_shows_where_before_it_is_killed(stage: Stage) -> None:
    stage.add("deadlock", heartbeat_timeout=1.5)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    await stage.reaches(ProcessState.BACKOFF)
    assert any("_lock_forever" in line.text for line in stage.supervisor.log("child"))
    assert stage.row().last_exit == "no sign of life for 1.5 s"


async def test_a_child_that_never_gets_ready_is_not_waited_for(stage: Stage) -> None:
    stage.add("never-ready", ready_timeout=0.5)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    assert "not ready" in stage.row().last_exit


async def test_a_child_that_ignores_every_request_is_killed(stage: Stage) -> None:
    stage.add("deaf", stop_wait=0.3)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    await stage.supervisor.stop(["child"])
    assert ProcessState.KILLING in stage.states()
    assert stage.row().state == "STOPPED"
    assert "SIGKILL" in stage.row().last_exit


async def test_a_flood_is_cut_and_counted_and_harms_nobody(stage: Stage) -> None:
    stage.add("flood")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    await stage.supervisor.stop(["child"])
    lines = stage.supervisor.log("child")
    assert len(lines) <= 2_000
    assert max(len(line.text) for line in lines) <= 4_000
    assert stage.row().state == "STOPPED"


async def test_twenty_megabytes_of_empty_lines_leave_the_heartbeat_audible(stage: Stage) -> None:
    stage.add("spew")
    await stage.supervisor.start(["child"])
    async with asyncio.timeout(30):
        while stage.row().detail != "spewed":
            await stage.supervisor.sample()
    assert ProcessState.BACKOFF not in stage.states()
    assert len(stage.supervisor.log("child")) <= 2_000


async def test_settings_that_cannot_be_made_are_fatal_and_said(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def settings() -> dict[str, Any]:
        raise KeyError("exchange url")

    stage.supervisor.add(ProcessSpec(name="child", kind="test", group="test", command=COMMAND, settings=settings))
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.FATAL)
    assert "exchange url" in stage.row().last_exit
    assert "exchange url" in caplog.text


async def test_an_owner_whose_callback_fails_leaves_no_child_behind(caplog: pytest.LogCaptureFixture) -> None:
    pids: list[int] = []

    def fail(event: ProcessEvent) -> None:
        if isinstance(event, StateChanged) and event.new is ProcessState.RUNNING:
            pids.append(ill.row().pid)
            raise RuntimeError("the owner is ill")

    ill = Stage()
    ill.supervisor = Supervisor(ill.table, SystemClock(), log_folder=None, on_event=fail, seed=1)
    ill.add("deaf")
    await ill.supervisor.start(["child"])
    await ill.reaches(ProcessState.FATAL)
    assert not psutil.pid_exists(pids[0])
    assert "can no longer be supervised" in caplog.text
    await ill.supervisor.stop_all()


async def test_start_during_back_off_does_not_wait_for_its_end(stage: Stage) -> None:
    stage.add("crash", restart=RestartPolicy(first=30, budget=9))
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.STARTING)
    await stage.supervisor.stop(["child"])


async def test_stop_during_the_start_wins(stage: Stage) -> None:
    stage.add("never-ready")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.STARTING)
    await stage.supervisor.stop(["child"])
    assert ProcessState.RUNNING not in stage.states()
    assert stage.row().state == "STOPPED"


async def test_what_does_not_stop_before_the_deadline_is_killed(stage: Stage) -> None:
    stage.add("deaf", stop_wait=60.0)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    pid = stage.row().pid
    await stage.supervisor.stop_all(deadline=0.3)
    assert not psutil.pid_exists(pid)
    assert stage.row().state == "STOPPED"


async def test_a_need_that_is_not_met_is_said_in_words(stage: Stage) -> None:
    stage.add("well", name="bot", depends_on=("child",))
    stage.add("misconfigured")
    with pytest.raises(UnavailableError, match="child did not start: exit code 64"):
        await stage.supervisor.start_all()


async def test_stop_wins_during_back_off_and_start_after_stop_counts(stage: Stage) -> None:
    stage.add("crash", restart=RestartPolicy(first=30, budget=9))
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    await stage.supervisor.stop(["child"])
    assert stage.row().state == "STOPPED"


async def test_start_while_it_stops_brings_it_up_again(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = stage.row().pid
    stopping = asyncio.create_task(stage.supervisor.stop(["child"]))
    await stage.reaches(ProcessState.STOPPING)
    await stage.supervisor.start(["child"])
    await stopping
    await stage.reaches(ProcessState.RUNNING)
    assert stage.row().pid != first


async def test_many_commands_at_once_end_in_the_last_ones_state(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    await asyncio.gather(
        stage.supervisor.restart(["child"]), stage.supervisor.restart(["child"]), stage.supervisor.stop(["child"])
    )
    assert stage.row().state == "STOPPED"


async def test_all_are_started_after_what_they_need_and_stopped_before_it(stage: Stage) -> None:
    stage.add("well", name="bot", depends_on=("hub",))
    stage.add("well", name="hub")
    await stage.supervisor.start_all()
    await stage.reaches(ProcessState.RUNNING, name="bot")
    order = [(e.name, e.new) for e in stage.events if isinstance(e, StateChanged)]
    assert order.index(("hub", ProcessState.RUNNING)) < order.index(("bot", ProcessState.STARTING))
    await stage.supervisor.stop_all()
    order = [(e.name, e.new) for e in stage.events if isinstance(e, StateChanged)]
    assert order.index(("bot", ProcessState.STOPPED)) < order.index(("hub", ProcessState.STOPPING))


async def test_figures_are_sampled(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    async with asyncio.timeout(10):
        while not stage.row().rss_bytes:
            await stage.supervisor.sample()
    assert stage.row().threads >= 1


def test_children_die_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-m", "tests.processes.parent"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=10)
