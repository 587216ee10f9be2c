"""Stretches of time: half-open, in int nanoseconds UTC. Joined, subtracted and cut without ever overlapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    start: int
    end: int


def joined(spans: Iterable[Span]) -> list[Span]:
    """Sorted; those that touch or overlap become one, empty ones vanish."""
    result: list[Span] = []
    for span in sorted(span for span in spans if span.end > span.start):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def without(spans: Iterable[Span], removed: Iterable[Span]) -> list[Span]:
    """What of `spans` is in none of `removed`."""
    result = joined(spans)
    for hole in joined(removed):
        result = [
            part
            for span in result
            for part in (Span(span.start, min(span.end, hole.start)), Span(max(span.start, hole.end), span.end))
            if part.end > part.start
        ]
    return result


def within(spans: Iterable[Span], bounds: Sequence[Span]) -> list[Span]:
    """What of `spans` is in one of `bounds`."""
    found = joined(spans)
    return joined(Span(max(a.start, b.start), min(a.end, b.end)) for a in found for b in bounds)


def bridged(spans: Iterable[Span], distance: int) -> list[Span]:
    """Those less than `distance` apart become one: one question instead of many."""
    result: list[Span] = []
    for span in joined(spans):
        if result and span.start - result[-1].end < distance:
            result[-1] = Span(result[-1].start, span.end)
        else:
            result.append(span)
    return result
