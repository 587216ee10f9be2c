"""Specifications that make no sense are refused where they are made; the configuration lays its own over them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config.processes import ProcessSection
from engine.domain.errors import ConfigurationError
from engine.processes.configured import configured
from engine.processes.specification import ProcessSpec, RestartPolicy


def spec(name: str = "feed", **said: Any) -> ProcessSpec:
    return ProcessSpec(name=name, kind="feed", group="test", settings=dict, **said)


def test_the_defaults_are_those_of_the_design() -> None:
    made = spec()
    assert (made.start_seconds, made.stop_wait, made.heartbeat_timeout) == (3, 10, 10)
    policy = made.restart
    assert (policy.first, policy.longest, policy.jitter, policy.healthy) == (0.5, 60, 0.2, 60)
    assert (policy.budget, policy.window) == (5, 60)


@pytest.mark.parametrize(
    "said",
    [
        {"name": ""},
        {"depends_on": ("feed",)},
        {"ready_timeout": 0},
        {"heartbeat_timeout": -1},
        {"stop_wait": 0},
        {"memory_limit": -1},
        {"cpu_limit": float("nan")},
    ],
)
def test_a_specification_without_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        spec(**said)
    assert caught.value.remedy


@pytest.mark.parametrize("said", [{"first": 0}, {"first": 2, "longest": 1}, {"jitter": 1}, {"budget": -1}])
def test_a_policy_without_sense_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        RestartPolicy(**said)


def test_what_the_configuration_says_is_laid_over_and_the_rest_kept() -> None:
    section = ProcessSection(memory_limit_mb=300, restarts=2, restart="never", autostart=False, stop_wait=4)
    (feed, hub) = configured([spec(critical=True), spec("hub")], {"feed": section})
    assert (feed.memory_limit, feed.autostart, feed.stop_wait, feed.critical) == (300_000_000, False, 4, True)
    assert (feed.restart.budget, feed.restart.when, feed.restart.first) == (2, "never", 0.5)
    assert hub.restart == RestartPolicy()


def test_a_section_of_no_process_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="feet") as caught:
        configured([spec(), spec("hub")], {"feet": ProcessSection()})
    assert "feed" in caught.value.remedy


def test_the_exchange_may_be_named_where_there_is_none() -> None:
    assert len(configured([spec()], {"exchange": ProcessSection(stop_wait=1)})) == 1
