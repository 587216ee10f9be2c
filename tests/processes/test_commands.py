"""Start, stop and restart, of one, of many and while another command is under way: what a person asked for last is done."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from engine.domain.errors import UnavailableError
from engine.processes.events import StateChanged
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from tests.processes.stage import COMMAND, Stage


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
