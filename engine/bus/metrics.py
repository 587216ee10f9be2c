"""How the bus is doing: counts, waiting times and slow handlers, from samples that cost next to nothing."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

import msgspec

SLOW = 0.01
"""Seconds of one handler in a row; a window that paints thirty times a second feels three of them."""
_BOUNDS = [1e-6 * 1.2**step for step in range(96)]
"""Upper edges in seconds, from a microsecond to half a minute; each is a fifth above the one before."""
_EDGES = [*_BOUNDS, float("inf")]


class Histogram:
    """Seconds in buckets that are exact to a fifth."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS) + 1)
        self.total = 0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self.total += 1

    def quantile(self, share: float) -> float:
        """The upper edge of the bucket that holds it; 0 while nothing was measured."""
        if not self.total:
            return 0.0
        return _EDGES[bisect_left(list(accumulate(self._counts)), max(share * self.total, 1))]

    def buckets(self) -> list[tuple[float, int]]:
        """(upper edge in seconds, count) of those that hold any."""
        return [(edge, count) for edge, count in zip(_EDGES, self._counts, strict=True) if count]


class Stopwatch:
    """The samples of one handler, in seconds."""

    __slots__ = ("failures", "longest", "samples", "skipped", "slow", "total")

    def __init__(self) -> None:
        self.samples = 0
        self.total = 0.0
        self.longest = 0.0
        self.slow = 0
        self.skipped = 0
        self.failures = 0

    def add(self, seconds: float) -> None:
        self.samples += 1
        self.total += seconds
        if seconds > self.longest:
            self.longest = seconds
        if seconds > SLOW:
            self.slow += 1


class HandlerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds, of the calls that were sampled; `slow` counts those of over ten milliseconds.

    `skipped` counts events that a coroutine handler was too slow for, by the policy of their kind.
    """

    name: str
    samples: int
    mean: float
    longest: float
    slow: int
    skipped: int
    failures: int


class BusFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start. `published` counts what was taken in, `shed` what was not.

    `rate` is deliveries a second since the figures were last asked for; `p50` and `p99` are seconds from publish to
    the first handler, `latency` the histogram behind them.
    """

    depth: tuple[int, ...]
    published: int
    delivered: int
    conflated: int
    shed: int
    shed_by_kind: dict[str, int]
    failed: int
    retried: int
    dead: int
    rate: float
    p50: float
    p99: float
    latency: list[tuple[float, int]]
    slowest: list[HandlerFigures]


class Rate:
    """Events a second between two questions at least a second apart."""

    def __init__(self) -> None:
        self._at = 0.0
        self._count = 0
        self._rate = 0.0

    def of(self, count: int, now: float) -> float:
        if now - self._at >= 1.0:
            self._rate = (count - self._count) / (now - self._at) if self._at else 0.0
            self._at, self._count = now, count
        return self._rate


def slowest(watches: list[tuple[str, Stopwatch]], most: int = 10) -> list[HandlerFigures]:
    """The handlers with the longest call, by name."""
    ordered = sorted(watches, key=lambda pair: pair[1].longest, reverse=True)
    return [_figures(name, watch) for name, watch in ordered[:most]]


def _figures(name: str, watch: Stopwatch) -> HandlerFigures:
    return HandlerFigures(
        name=name,
        samples=watch.samples,
        mean=watch.total / watch.samples if watch.samples else 0.0,
        longest=watch.longest,
        slow=watch.slow,
        skipped=watch.skipped,
        failures=watch.failures,
    )
