"""How many feed workers a rate needs: what messages cost, what earlier days had, and that no plan leaves its bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError
from engine.domain.market import NANOSECONDS
from engine.market.capacity import Bounds, Cost, Forecast, Plan, cost_of, needed, plan_for
from engine.market.forecast import forecast, same_time_earlier
from engine.storage.market.rates import highest_rates
from engine.storage.market.rows import metric_rows
from engine.storage.market.store import open_store
from tests.services import Postgres
from tests.storage.market_rows import Database

BOUNDS = Bounds(least=1, most=10, target=0.8)
NO_PEAK = Forecast(0.0, "nothing", True)
rates = st.floats(0, 1e6)
costs = st.builds(Cost, st.floats(0, 1), st.floats(0, 0.1), st.booleans())
bounds = st.builds(
    lambda least, more, target: Bounds(least=least, most=least + more, target=target),
    st.integers(1, 5), st.integers(0, 9), st.floats(0.05, 1),
)  # fmt: skip


def plan(rate: float, lag: float = 0.0, workers: int = 1, peak: Forecast = NO_PEAK, limits: Bounds = BOUNDS) -> Plan:
    return plan_for(rate, Cost(0.05, 0.001, False), lag, workers, peak, limits)


def test_the_fewest_workers_that_stay_below_their_target() -> None:
    """Each has 0.75 of a core for messages of a millisecond."""
    assert [plan(rate).now for rate in (1, 750, 751, 1_500, 1_501)] == [1, 1, 2, 2, 3]


def test_a_plan_says_its_rate_its_cost_and_what_the_limit_keeps_it_from() -> None:
    found = plan(9_000, peak=Forecast(12_000, "the highest of yesterday", True))
    assert (found.now, found.wanted_now, found.peak, found.wanted_peak) == (10, 12, 10, 16)
    assert found.reason == (
        "9,000 messages/s, 1.0 ms of CPU each beside 5% that a worker always uses, workers filled to 80%: "
        "12 ([scaling] most allows 10) needed now. "
        "At the peak of 12,000/s, the highest of yesterday: 16 ([scaling] most allows 10)."
    )


def test_a_guess_is_shown_and_nothing_is_started_for_it() -> None:
    guess, known = (plan(100, peak=Forecast(2_000, "", measured)) for measured in (False, True))
    assert (guess.peak, guess.ahead) == (3, 1)
    assert (known.peak, known.ahead) == (3, 3)


def test_workers_that_fall_behind_are_too_few_whatever_their_cpu_says() -> None:
    assert plan(10, lag=0.9, workers=2).now == 3


@given(rates, costs, st.floats(0, 5), st.integers(1, 10), rates, st.booleans(), bounds)
def test_no_plan_leaves_its_bounds_and_the_peak_never_needs_less_than_now(
    rate: float, cost: Cost, lag: float, workers: int, peak: float, measured: bool, limits: Bounds
) -> None:
    found = plan_for(rate, cost, lag, workers, Forecast(peak, "", measured), limits)
    assert limits.least <= found.now <= found.peak <= limits.most
    assert found.now <= found.ahead <= found.peak
    assert found.now >= min(found.wanted_now, limits.most)
    assert found.reason.endswith(".")


@given(rates, rates, costs, st.floats(0, 5), st.integers(1, 10), bounds)
def test_a_higher_rate_never_needs_fewer(
    one: float, other: float, cost: Cost, lag: float, workers: int, limits: Bounds
) -> None:
    low, high = sorted((one, other))
    plans = [plan_for(rate, cost, lag, workers, NO_PEAK, limits) for rate in (low, high)]
    assert plans[0].now <= plans[1].now
    assert plans[0].peak <= plans[1].peak


@given(st.floats(1, 1e5), st.floats(0, 0.5), st.floats(1e-6, 0.01))
def test_what_is_needed_fills_no_worker_beyond_its_target_and_one_less_would(
    rate: float, fixed: float, per_message: float
) -> None:
    count = needed(rate, Cost(fixed, per_message, False), 0.8)
    filled = [fixed + per_message * rate / n for n in (count, count - 1) if n]
    assert filled[0] <= 0.8 * (1 + 1e-9)
    assert all(share > 0.8 * (1 - 1e-9) for share in filled[1:])


@given(st.floats(0, 0.3), st.floats(1e-5, 1e-3), st.lists(st.floats(10, 1_000), min_size=5, max_size=50))
def test_the_fixed_part_and_that_of_a_message_are_told_apart_where_the_rate_varies(
    fixed: float, per_message: float, seen: list[float]
) -> None:
    seen += [10.0, 1_000.0]
    found = cost_of([(rate, fixed + per_message * rate) for rate in seen])
    assert found is not None and not found.is_bound
    assert (found.fixed, found.per_message) == (pytest.approx(fixed, abs=1e-6), pytest.approx(per_message, rel=1e-5))


def test_where_it_does_not_vary_all_cpu_counts_as_the_messages_and_that_is_said() -> None:
    found = cost_of([(100.0, 0.05), (101.0, 0.06), (99.0, 0.04)])
    assert found is not None and found.is_bound and found.per_message == pytest.approx(0.0005)
    assert cost_of([]) is None and cost_of([(0.0, 0.1)]) is None
    assert "at most" in plan_for(100, found, 0, 1, NO_PEAK, BOUNDS).reason


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1)), max_size=40))
def test_whatever_was_measured_a_cost_is_never_negative(samples: list[tuple[float, float]]) -> None:
    found = cost_of(samples)
    assert found is None or (found.fixed >= 0 and found.per_message >= 0)


@pytest.mark.parametrize("wrong", [{"least": 0}, {"most": 0}, {"target": 0.0}, {"target": 1.1}])
def test_bounds_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Bounds(**{"least": 1, "most": 2, "target": 0.8, **wrong})  # type: ignore[arg-type]


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANOSECONDS


def test_the_same_hour_of_the_market_is_meant_also_across_a_change_of_its_clock() -> None:
    """On 2026-11-02 New York is at UTC-5, three days before at UTC-4."""
    spans = same_time_earlier(at("2026-11-02T14:40:00"), 3)
    assert [span.start for span in spans] == [
        at("2026-11-01T14:30:00"),
        at("2026-10-31T13:30:00"),
        at("2026-10-30T13:30:00"),
    ]
    assert all(span.end - span.start == 3_600 * NANOSECONDS for span in spans)


def test_the_forecast_is_the_highest_of_earlier_days_or_says_that_it_is_a_guess() -> None:
    now = at("2026-11-02T14:40:00")
    known = forecast([300.0, 0.0, 450.0], now, 90.0, 2.0)
    assert (known.rate, known.is_measured) == (450.0, True)
    assert known.basis == "the highest from 09:30 to 10:30 in New York on 2 earlier days that is recorded"
    guess = forecast([], now, 90.0, 2.0)
    assert (guess.rate, guess.is_measured) == (180.0, False)
    assert "guess" in guess.basis and "2 times" in guess.basis


@pytest.fixture(params=["file", "server"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "file":
        return Database.in_file(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Database.on_server(server)


async def test_recorded_rates_of_all_feeds_are_added_up_and_averaged(database: Database) -> None:
    today, yesterday, *_ = same_time_earlier(at("2026-11-03T15:00:00"))
    store = open_store(database.address)
    await store.open()
    rows = [
        row
        for second in range(20)
        for feed, rate in (("feed", 30.0 if second < 10 else 10.0), ("feed-2", 5.0))
        for row in metric_rows(feed, today.start + second * NANOSECONDS, message_rate=rate, rejected=1e9)
    ]
    await store.write({"system_metrics": rows})
    await store.close()
    assert await highest_rates(database.address, [today, yesterday]) == [35.0]


async def test_before_anything_was_recorded_there_is_nothing_to_go_by(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    assert await highest_rates(database.address, same_time_earlier(at("2026-11-02T14:40:00"))) == []
