"""When workers are added and taken away, and which symbols move then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError
from engine.market.capacity import Cost, Forecast, Plan
from engine.processes.autoscaler import Autoscaler, Decision, ScalingLimits, WorkerLoad
from engine.processes.rendezvous import owner, shares

BUSY, IDLE = 0.9, 0.05


class Group:
    """Workers that share the load evenly, sampled once a second."""

    def __init__(self, limits: ScalingLimits | None = None, count: int = 1) -> None:
        self.scaler = Autoscaler(limits or ScalingLimits())
        self.count = count
        self.second = 0

    def sample(self, *shares: float, times: int = 1, plan: Plan | None = None) -> list[Decision]:
        found = []
        for _ in range(times):
            self.second += 1
            loads = [
                WorkerLoad(f"feed-{n}", cpu, 0.0)
                for n, cpu in enumerate(shares * self.count if len(shares) == 1 else shares)
            ]
            decision = self.scaler.decide(loads, float(self.second), self.second, plan)
            if decision is not None:
                self.count = decision.after
                found.append(decision)
        return found


def test_three_busy_samples_add_a_worker_and_two_do_not() -> None:
    group = Group()
    assert group.sample(BUSY, times=2) == []
    assert group.sample(IDLE) == []
    (decision,) = group.sample(BUSY, times=3)
    assert (decision.before, decision.after) == (1, 2)
    assert "feed-0 was above 80%" in decision.reason
    assert decision.loads[0].cpu == BUSY


def test_lag_counts_as_cpu_does() -> None:
    scaler = Autoscaler(ScalingLimits(up_samples=1))
    decision = scaler.decide([WorkerLoad("feed", 0.1, 1.4)], 1.0, 1)
    assert decision is not None and decision.after == 2


def test_the_next_change_waits_until_the_last_one_has_shown_its_effect() -> None:
    group = Group()
    (first,) = group.sample(BUSY, times=3)
    assert group.sample(BUSY, times=29) == []
    (second,) = group.sample(BUSY)
    assert second.at - first.at == 30


def test_a_worker_goes_only_when_the_others_would_stay_idle_without_it() -> None:
    group = Group(count=2)
    assert group.sample(0.2, times=60) == [], "one alone would carry 0.4"
    decisions = group.sample(0.1, times=10)
    assert [(d.before, d.after) for d in decisions] == [(2, 1)]
    assert group.sample(IDLE, times=100) == [], "one stays"


def test_a_person_decides_until_they_give_it_back() -> None:
    group = Group()
    group.scaler.choose(4)
    (decision,) = group.sample(IDLE)
    assert (decision.after, decision.by_hand, decision.reason) == (4, True, "chosen by a person")
    assert group.sample(IDLE, times=100) == []
    group.scaler.choose(None)
    assert [d.after for d in group.sample(IDLE, times=50)] == [3, 2], "30 seconds apart"
    with pytest.raises(ConfigurationError, match="11 workers"):
        group.scaler.choose(11)


def planned(now: int, peak: int, *, known: bool = True) -> Plan:
    """As if so many had been needed."""
    return Plan(
        now=now, peak=peak, wanted_now=now, wanted_peak=peak, rate=1.0, cost=Cost(0.0, 1.0, False),
        forecast=Forecast(1.0, "", known), reason="the opening comes",
    )  # fmt: skip


def test_workers_are_there_before_a_peak_that_earlier_days_had_and_not_for_a_guess() -> None:
    group = Group(ScalingLimits(cool_down=1.0))
    assert group.sample(IDLE, times=20, plan=planned(1, 3, known=False)) == []
    decisions = group.sample(IDLE, times=20, plan=planned(1, 3))
    assert [(d.before, d.after, d.reason) for d in decisions] == [
        (1, 2, "planned ahead: the opening comes"),
        (2, 3, "planned ahead: the opening comes"),
    ]
    assert group.sample(IDLE, times=50, plan=planned(1, 3)) == [], "they stay until it has passed"
    assert [d.after for d in group.sample(IDLE, times=50, plan=planned(1, 1))] == [2, 1]


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 10), st.integers(0, 9)), min_size=1, max_size=200))
def test_whatever_the_load_and_the_plan_none_is_taken_away_that_is_needed_now(
    samples: list[tuple[float, int, int]],
) -> None:
    group = Group(ScalingLimits(cool_down=0.0, down_samples=2, up_samples=2))
    for load, now, more in samples:
        for decision in group.sample(load, plan=planned(now, min(now + more, 10))):
            assert abs(decision.after - decision.before) == 1
            assert 1 <= decision.after <= 10
            assert decision.after >= decision.before or decision.after >= now


@pytest.mark.parametrize(
    "wrong", [ScalingLimits(least=3, most=2), ScalingLimits(most=11), ScalingLimits(down_below=0.9)]
)
def test_limits_that_contradict_each_other_are_refused(wrong: ScalingLimits) -> None:
    with pytest.raises(ConfigurationError):
        Autoscaler(wrong)


@given(st.lists(st.floats(0, 2), min_size=1, max_size=400))
def test_whatever_the_load_the_count_stays_within_its_limits_and_moves_by_one(loads: list[float]) -> None:
    group = Group(ScalingLimits(cool_down=0.0))
    for load in loads:
        for decision in group.sample(load):
            assert abs(decision.after - decision.before) == 1
            assert 1 <= decision.after <= 10


@given(st.sets(st.text(min_size=1, max_size=6), min_size=1, max_size=60), st.integers(1, 9))
def test_a_worker_more_takes_symbols_and_moves_none_between_the_others(symbols: set[str], count: int) -> None:
    before = [f"feed-{n}" for n in range(count)]
    after = [*before, f"feed-{count}"]
    for symbol in symbols:
        assert owner(symbol, after) in {owner(symbol, before), after[-1]}


def test_the_shares_are_about_even_and_the_same_in_every_process() -> None:
    found = shares((f"SYM{n}" for n in range(2_000)), [f"feed-{n}" for n in range(5)])
    assert all(300 < len(symbols) < 500 for symbols in found.values())
    assert owner("SPY", ["feed", "feed-2", "feed-3"]) == "feed-3"
