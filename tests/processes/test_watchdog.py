"""What is overdue of a child, and when, from what it says; on a clock that stands still."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.domain.incidents import IncidentKind
from engine.processes.specification import ProcessSpec
from engine.processes.watchdog import Watchdog


def watchdog(**limits: Any) -> Watchdog:
    spec = ProcessSpec(name="feed", kind="feed", group="test", settings=dict, **limits)
    return Watchdog(spec, 100.0)


def test_before_it_is_ready_only_the_start_is_timed() -> None:
    dog = watchdog(ready_timeout=20, heartbeat_timeout=5)
    dog.hear("heartbeat", {"progress": 0}, 119.0)
    assert dog.due() == (120.0, IncidentKind.NOT_READY, "not ready within 20 s")


def test_after_it_is_ready_each_sign_puts_the_deadline_off() -> None:
    dog = watchdog(heartbeat_timeout=5)
    dog.hear("ready", {}, 101.0)
    dog.hear("heartbeat", {"progress": 0}, 102.0)
    assert dog.due() == (107.0, IncidentKind.HANG, "no sign of life for 5 s")


def test_progress_is_overdue_only_while_the_child_expects_some() -> None:
    dog = watchdog(heartbeat_timeout=10)
    dog.hear("ready", {}, 101.0)
    for now in range(102, 200):
        dog.hear("heartbeat", {"progress": 4, "expects": 0}, float(now))
    assert dog.due()[1] is IncidentKind.HANG
    dog.hear("heartbeat", {"progress": 4, "expects": 2}, 200.0)
    assert dog.due()[:2] == (202.0, IncidentKind.NO_PROGRESS), "counted from when it was first expected"
    dog.hear("heartbeat", {"progress": 5, "expects": 2}, 201.5)
    assert dog.due()[0] == 203.5
    dog.hear("heartbeat", {"progress": 5, "expects": 0}, 203.0)
    assert dog.due()[1] is IncidentKind.HANG, "the market has closed"


def test_work_of_which_nothing_comes_is_no_progress_where_the_child_counts_what_comes_of_it() -> None:
    dog = watchdog(heartbeat_timeout=1_000)
    dog.hear("ready", {}, 101.0)
    dog.hear("heartbeat", {"progress": 10, "produced": 1, "expects": 0}, 102.0)
    dog.hear("heartbeat", {"progress": 5_000, "produced": 1, "expects": 2}, 103.0)
    assert (dog.due()[:2], dog.rate) == ((105.0, IncidentKind.NO_PROGRESS), 4_990)
    dog.hear("heartbeat", {"progress": 5_000, "produced": 2, "expects": 2}, 104.0)
    assert dog.due()[0] == 106.0


def test_a_limit_in_the_configuration_wins_over_the_childs_own() -> None:
    dog = watchdog(progress_timeout=60, heartbeat_timeout=1_000)
    dog.hear("ready", {}, 101.0)
    dog.hear("heartbeat", {"progress": 0, "expects": 2}, 102.0)
    assert dog.due()[0] == 162.0


@pytest.mark.parametrize("nonsense", [None, "soon", math.nan, math.inf, -1, [], True])
def test_nonsense_is_no_expectation_that_could_kill_it(nonsense: object) -> None:
    dog = watchdog(heartbeat_timeout=10)
    dog.hear("ready", {}, 101.0)
    dog.hear("heartbeat", {"progress": nonsense, "expects": nonsense}, 102.0)
    assert dog.due()[1] is IncidentKind.HANG


def test_the_rate_is_of_the_time_between_two_heartbeats_and_never_negative() -> None:
    dog = watchdog()
    dog.hear("heartbeat", {"progress": 0}, 101.0)
    dog.hear("heartbeat", {"progress": 500}, 103.0)
    assert dog.rate == 250.0
    dog.hear("heartbeat", {"progress": 10}, 104.0)
    assert dog.rate == 0.0


def test_it_is_stable_once_it_has_been_ready_for_as_long_as_a_start_takes() -> None:
    dog = watchdog(start_seconds=3)
    assert not dog.is_stable(1_000.0)
    dog.hear("ready", {}, 101.0)
    assert not dog.is_stable(103.9)
    assert dog.is_stable(104.0)


def test_heartbeats_that_are_read_in_one_instant_make_no_wild_rate() -> None:
    dog = watchdog()
    dog.hear("ready", {}, 100.0)
    dog.hear("heartbeat", {"progress": 10}, 101.0)
    dog.hear("heartbeat", {"progress": 20}, 102.0)
    dog.hear("heartbeat", {"progress": 30}, 102.000_01)
    assert dog.rate == 10.0
    dog.hear("heartbeat", {"progress": 40}, 104.0)
    assert dog.rate == 10.0
