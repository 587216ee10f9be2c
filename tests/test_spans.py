"""Stretches of time behave as the sets of moments that they stand for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.spans import Span, bridged, joined, within, without

spans = st.lists(st.builds(lambda a, b: Span(a, a + b), st.integers(0, 40), st.integers(-2, 12)), max_size=8)


def moments(some: list[Span]) -> set[int]:
    return {moment for span in some for moment in range(span.start, span.end)}


def assert_tidy(some: list[Span]) -> None:
    assert all(span.start < span.end for span in some)
    assert all(a.end < b.start for a, b in pairwise(some))


@given(spans, spans)
def test_spans_are_sets_of_moments(some: list[Span], others: list[Span]) -> None:
    for found, expected in (
        (joined(some), moments(some)),
        (without(some, others), moments(some) - moments(others)),
        (within(some, others), moments(some) & moments(others)),
    ):
        assert_tidy(found)
        assert moments(found) == expected


@given(spans, st.integers(1, 6))
def test_bridged_spans_hold_all_and_lie_apart(some: list[Span], distance: int) -> None:
    found = bridged(some, distance)
    assert moments(some) <= moments(found)
    assert all(b.start - a.end >= distance for a, b in pairwise(found))
