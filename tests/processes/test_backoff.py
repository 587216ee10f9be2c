"""The waits between restarts, and when they end."""

from __future__ import annotations

import random

from engine.processes.backoff import Backoff
from engine.processes.specification import RestartPolicy


def backoff(**policy: float) -> Backoff:
    return Backoff(RestartPolicy(jitter=0.0, **policy), random.Random(1))  # type: ignore[arg-type]


def test_the_wait_doubles_up_to_the_longest() -> None:
    waits = backoff(first=0.25, longest=2.0, budget=100)
    assert [waits.failed(float(now), 0.1) for now in range(6)] == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_a_healthy_life_starts_the_waits_anew() -> None:
    waits = backoff(first=0.25, healthy=60.0)
    waits.failed(0.0, 1.0)
    waits.failed(1.0, 1.0)
    assert waits.failed(100.0, 99.0) == 0.25


def test_more_failures_than_the_budget_within_the_window_spend_it() -> None:
    waits = backoff(budget=2, window=60.0)
    for now in (0.0, 10.0):
        waits.failed(now, 1.0)
        assert not waits.spent
    waits.failed(59.0, 1.0)
    assert waits.spent
    assert waits.failures == 3


def test_old_failures_are_forgotten() -> None:
    waits = backoff(budget=2, window=60.0)
    for now in (0.0, 50.0, 61.0):
        waits.failed(now, 1.0)
    assert not waits.spent


def test_jitter_stays_within_its_share_and_repeats_with_the_seed() -> None:
    policy = RestartPolicy(first=1.0, longest=1.0, jitter=0.2)
    one, two = (Backoff(policy, random.Random(7)) for _ in range(2))
    delays = [one.failed(float(now), 0.0) for now in range(50)]
    assert delays == [two.failed(float(now), 0.0) for now in range(50)]
    assert all(0.8 <= delay <= 1.2 for delay in delays)
    assert len(set(delays)) > 40
