"""The supervisor with real children: they are started, heard and measured, crash, flood and refuse to go."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import psutil
import pytest

from engine.clock import SystemClock
from engine.domain.incidents import IncidentKind
from engine.processes import channel
from engine.processes.events import LogRecord, ProcessEvent, StateChanged
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from tests.processes.stage import COMMAND, QUICK, Stage


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
