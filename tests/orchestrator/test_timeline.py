"""The newest values in order of time, whatever the order in which they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.orchestrator.timeline import LATE, Timeline

TIMES = st.lists(st.integers(-5, 40), max_size=60)


@given(TIMES, st.integers(-5, 40), st.integers(1, 20))
def test_in_order_the_last_of_each_time_and_no_more_than_the_limit(times: list[int], after: int, limit: int) -> None:
    timeline: Timeline[int] = Timeline(limit)
    for number, at in enumerate(times):
        timeline.put(at, number)
    shown = timeline.since(-10)
    assert len(shown) <= limit
    assert [times[number] for number in shown] == sorted({times[number] for number in shown})
    assert not set(shown) - {max(n for n, at in enumerate(times) if at == each) for each in set(times)}
    assert set(map(times.__getitem__, shown)) >= set(sorted(set(times))[-1:])
    assert timeline.since(after) == [number for number in shown if times[number] >= after]


def test_history_that_comes_after_the_newest_takes_its_place_and_the_oldest_leave_first() -> None:
    timeline: Timeline[int] = Timeline(1_000)
    timeline.put(5_000, 5_000)
    for at in range(3_000):
        timeline.put(at, at)
    assert timeline.since(0) == [*range(2_001, 3_000), 5_000]


def test_late_values_do_not_pile_up_while_nobody_asks() -> None:
    timeline: Timeline[int] = Timeline(10)
    for at in reversed(range(10_000)):
        timeline.put(at, at)
        assert len(timeline._values) <= 10 + LATE
    assert timeline.since(0) == list(range(9_990, 10_000))
