"""The supervisor with real children: they crash, hang, flood, refuse to go, and lose their parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.clock import SystemClock
from engine.domain.errors import UnavailableError
from engine.domain.incidents import Incident, IncidentKind
from engine.processes import channel
from engine.processes.events import LogRecord, ProcessEvent, StateChanged
from engine.processes.guard import GUARD
from engine.processes.registry import ChildRegistry
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.waiting import until

COMMAND = (sys.executable, "-m", "tests.processes.worker")
ORPHANS_LAST = 3.0
QUICK = RestartPolicy(first=0.02, longest=0.1, budget=2)


class Stage:
    def __init__(self, registry: ChildRegistry | None = None) -> None:
        self.events: list[ProcessEvent] = []
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(
            self.table, SystemClock(), log_folder=None, on_event=self.events.append, seed=1, registry=registry
        )

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

    def cards(self) -> list[Incident]:
        return [event for event in self.events if isinstance(event, Incident)]

    def order(self) -> list[tuple[str, ProcessState]]:
        return [(event.name, event.new) for event in self.events if isinstance(event, StateChanged)]


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.supervisor.stop_all()


async def test_a_child_is_started_heard_measured_and_stopped(stage: Stage) -> None:
    stage.add("well")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    pid = stage.row().pid
    assert stage.row().detail == "here"
    await stage.supervisor.sample()
    row, truth = stage.row(), psutil.Process(pid)
    assert row.rss_bytes == pytest.approx(truth.memory_info().rss, rel=0.05)
    assert (row.threads, row.open_files) == (truth.num_threads(), truth.num_fds())
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
    assert ProcessState.UNRESPONSIVE not in stage.states(), "its end is seen though a grandchild holds its pipes"


async def test_a_grandchild_that_left_the_group_does_not_hide_the_end_and_ends_with_its_own_parent(
    stage: Stage,
) -> None:
    stage.add("detached")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    first = psutil.Process(int(stage.row().detail))
    os.kill(stage.row().pid, signal.SIGKILL)
    await stage.reaches(ProcessState.BACKOFF)
    assert ProcessState.UNRESPONSIVE not in stage.states()
    await stage.reaches(ProcessState.RUNNING)
    await until(lambda: not _runs(first), ORPHANS_LAST)
    second = psutil.Process(int(stage.row().detail))
    assert _runs(second), "what belongs to the life that followed is left alone"
    await stage.supervisor.stop(["child"])
    await until(lambda: not _runs(second), ORPHANS_LAST)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


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


async def test_a_child_that_ignores_every_request_is_killed(stage: Stage) -> None:
    stage.add("deaf", stop_wait=0.3)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    await stage.supervisor.stop(["child"])
    assert ProcessState.KILLING in stage.states()
    assert stage.row().state == "STOPPED"
    assert "SIGKILL" in stage.row().last_exit


async def test_one_that_cannot_be_killed_is_stuck_until_the_system_lets_it_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's part is played: signals do not arrive."""
    stage.add("deaf", stop_wait=0.2)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    pid = stage.row().pid
    with monkeypatch.context() as held:
        held.setattr(channel, "REAP_WAIT", 0.1)
        held.setattr(channel.Channel, "send", lambda self, number: None)
        await stage.supervisor.stop(["child"])
    assert stage.row().state == "STUCK"
    assert stage.row().pid == pid, "it is still there"
    (card,) = stage.cards()
    assert card.kind is IncidentKind.STUCK
    os.kill(pid, signal.SIGKILL)
    await stage.reaches(ProcessState.STOPPED)
    assert stage.row().pid == 0


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


async def test_during_back_off_a_start_does_not_wait_for_its_end_and_a_stop_wins(stage: Stage) -> None:
    stage.add("crash", restart=RestartPolicy(first=30, budget=9))
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.STARTING)
    await stage.reaches(ProcessState.BACKOFF)
    await stage.supervisor.stop(["child"])
    assert stage.row().state == "STOPPED"


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
        while stage.row().progress < 5:
            await stage.supervisor.sample()
    assert stage.row().progress_rate > 0
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


async def test_success_before_it_was_stable_is_a_failure(stage: Stage) -> None:
    stage.add("short")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.BACKOFF)
    assert stage.row().last_exit == "it ended by itself"


async def test_success_after_it_was_stable_is_the_end(stage: Stage) -> None:
    stage.add("short", start_seconds=0)
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.EXITED)
    assert stage.cards() == []


async def test_one_that_is_never_to_be_restarted_is_fatal_at_once(stage: Stage) -> None:
    stage.add("crash", restart=RestartPolicy(when="never"))
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.FATAL)
    (card,) = stage.cards()
    assert (card.kind, card.state, card.exit_code) == (IncidentKind.CRASH, "FATAL", -signal.SIGSEGV)
    assert card.cause.startswith("crash in native code")


async def test_a_group_is_started_in_order_and_restarted_one_after_another(stage: Stage) -> None:
    stage.add("well", name="bot", depends_on=("hub",))
    stage.add("well", name="hub")
    await stage.supervisor.start(["bot", "hub"])
    await stage.reaches(ProcessState.RUNNING, name="bot")
    order = stage.order()
    assert order.index(("hub", ProcessState.RUNNING)) < order.index(("bot", ProcessState.STARTING))
    stage.events.clear()
    await stage.supervisor.restart(["bot", "hub"])
    await stage.reaches(ProcessState.RUNNING, name="bot")
    order = stage.order()
    assert order.index(("hub", ProcessState.RUNNING)) < order.index(("bot", ProcessState.STOPPING))


async def test_a_rolling_restart_ends_at_the_first_that_does_not_come_back(stage: Stage) -> None:
    modes = {"mode": "well"}
    stage.supervisor.add(
        ProcessSpec(name="hub", kind="test", group="test", command=COMMAND, settings=lambda: dict(modes))
    )
    stage.add("well", name="bot", depends_on=("hub",))
    await stage.supervisor.start_all()
    await stage.reaches(ProcessState.RUNNING, name="bot")
    bot = stage.row("bot").pid
    modes["mode"] = "misconfigured"
    with pytest.raises(UnavailableError, match="hub did not come back"):
        await stage.supervisor.restart(["hub", "bot"])
    assert stage.row("bot").pid == bot


async def test_what_is_not_to_start_by_itself_waits_for_a_person(stage: Stage) -> None:
    stage.add("well", autostart=False)
    await stage.supervisor.start_all()
    assert stage.row().state == "STOPPED"
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)


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
