"""Parts that fail are mended with growing pauses, wait for what they need, and are given up after enough attempts."""

from __future__ import annotations

import asyncio
import logging

import pytest

from engine.domain.errors import CredentialsError, PaddockError, UnavailableError
from engine.orchestrator.components import Component, Components, ComponentState, RecoveryLimits
from engine.orchestrator.keeper import Keeper
from engine.orchestrator.schedule import Schedule
from tests.faults.virtual import VirtualClock, VirtualLoop
from tests.virtual_time import run_virtually


class Desk:
    """Components and their keeper on virtual time; notes who was given up and who came back."""

    def __init__(self, attempts: int = 3) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = VirtualClock(loop)
        self.given_up: list[str] = []
        self.back: list[str] = []
        self.errors: list[PaddockError] = []
        limits = RecoveryLimits(attempts=attempts, first_pause=1.0, longest_pause=4.0, steady=60.0)
        self.components = Components(
            self.clock, limits, lambda one: self.given_up.append(one.name), lambda one: self.back.append(one.name)
        )
        self.keeper = Keeper(self.components, self.errors.append)
        self.components.add(Component(name="hub"))
        self.components.running("hub")
        self.components.add(Component(name="link", depends_on=("hub",)))

    @property
    def link(self) -> Component:
        return self.components["link"]


class Work:
    """Fails so many times, after so many seconds each, then runs until it is cancelled."""

    def __init__(self, failures: int, after: float = 0.0, error: Exception | None = None) -> None:
        self.began: list[float] = []
        self._failures = failures
        self._after = after
        self._error = error or UnavailableError("the line is cut", "Mend it.")

    async def __call__(self) -> None:
        self.began.append(round(asyncio.get_running_loop().time(), 1))
        if len(self.began) > self._failures:
            await asyncio.Event().wait()
        await asyncio.sleep(self._after)
        raise self._error


def test_a_part_that_fails_is_started_again_with_growing_pauses() -> None:
    async def work() -> None:
        desk, link = Desk(), Work(failures=3)
        desk.keeper.keep("link", link)
        await asyncio.sleep(20)
        assert link.began == [0.0, 1.0, 3.0, 7.0]
        assert (desk.link.state, desk.link.recoveries) == (ComponentState.RUNNING, 3)
        assert desk.back == ["link"] * 3
        await desk.keeper.close()

    run_virtually(work())


def test_a_part_that_never_works_is_given_up_once_after_its_attempts() -> None:
    async def work() -> None:
        desk, link = Desk(), Work(failures=99)
        desk.keeper.keep("link", link)
        await asyncio.sleep(600)
        assert link.began == [0.0, 1.0, 3.0, 7.0]
        assert desk.link.state is ComponentState.FAILED
        assert desk.link.reason == "the line is cut"
        assert desk.given_up == ["link"]
        await desk.keeper.close()

    run_virtually(work())


def test_a_part_that_ran_well_for_a_minute_has_all_its_attempts_again() -> None:
    async def work() -> None:
        desk, link = Desk(attempts=1), Work(failures=5, after=61.0)
        desk.keeper.keep("link", link)
        await asyncio.sleep(600)
        assert len(link.began) == 6
        assert desk.given_up == []
        await desk.keeper.close()

    run_virtually(work())


def test_waiting_for_another_part_costs_no_attempt() -> None:
    async def work() -> None:
        desk, link = Desk(attempts=1), Work(failures=50)
        desk.components.recovering("hub", "killed")
        desk.keeper.keep("link", link)
        await asyncio.sleep(20)
        assert desk.link.state is ComponentState.WAITING
        assert "hub" in desk.link.reason
        assert desk.given_up == []
        desk.components.running("hub")
        await asyncio.sleep(20)
        assert desk.given_up == ["link"]
        await desk.keeper.close()

    run_virtually(work())


def test_refused_keys_are_not_tried_again() -> None:
    async def work() -> None:
        desk, link = Desk(), Work(failures=99, error=CredentialsError("The keys were refused.", "Check them."))
        desk.keeper.keep("link", link)
        await asyncio.sleep(600)
        assert link.began == [0.0]
        assert [error.message for error in desk.errors] == ["The keys were refused."]
        assert desk.given_up == ["link"]
        await desk.keeper.close()

    run_virtually(work())


def test_a_programming_error_is_logged_with_its_traceback_and_the_part_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        desk, link = Desk(), Work(failures=1, error=ZeroDivisionError("of all things"))
        desk.keeper.keep("link", link)
        await asyncio.sleep(20)
        assert desk.link.state is ComponentState.RUNNING
        await desk.keeper.close()

    with caplog.at_level(logging.ERROR):
        run_virtually(work())
    assert "of all things" in caplog.text


def test_one_that_mends_itself_is_well_again_even_after_it_was_given_up() -> None:
    async def work() -> None:
        desk = Desk(attempts=2)
        desk.components.running("link")
        for _ in range(5):
            desk.components.failed("link", "the venue closed the stream")
        assert desk.given_up == ["link"]
        desk.components.running("link")
        assert (desk.link.state, desk.link.recoveries, desk.back) == (ComponentState.RUNNING, 1, ["link"])
        assert desk.link.reason == ""

    run_virtually(work())


def test_a_work_that_fails_is_told_once_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    runs: dict[str, int] = {"well": 0, "broken": 0, "beside": 0, "late": 0}

    async def well() -> None:
        runs["well"] += 1

    async def well_too() -> None:
        runs["beside"] += 1

    async def late() -> None:
        runs["late"] += 1

    async def broken() -> None:
        runs["broken"] += 1
        raise ZeroDivisionError("of all things")

    async def work() -> Schedule:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        schedule = Schedule(VirtualClock(loop))
        schedule.every(1.0, "well", well)
        schedule.every(2.0, "broken", broken, well_too)
        schedule.every(6.0, "late", at_once=False)
        schedule.join("late", late)
        task = asyncio.create_task(schedule.run())
        await asyncio.sleep(9.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return schedule

    with caplog.at_level(logging.WARNING):
        schedule = run_virtually(work())
    assert runs == {"well": 10, "broken": 5, "beside": 5, "late": 1}
    assert caplog.text.count("broken: ZeroDivisionError") == 1
    assert set(schedule.failing) == {"broken"}
