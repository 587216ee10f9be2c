"""An hour of a process's figures in bounded memory: each second of the newest two minutes, then coarser and coarser."""

from __future__ import annotations

from collections import deque

from engine.views import ProcessSample

STEPS = ((1.0, 120), (10.0, 60), (60.0, 60))
"""Seconds of a sample, and how many of that length are kept: two minutes, ten minutes, an hour."""


SLACK = 0.5
"""Seconds: samples come once a second, not to the millisecond."""


class SampleHistory:
    def __init__(self) -> None:
        self._tiers = [_Tier(seconds, count) for seconds, count in STEPS]

    def add(self, sample: ProcessSample) -> None:
        for tier in self._tiers:
            tier.add(sample)

    def samples(self) -> list[ProcessSample]:
        """Oldest first, each moment once: where a finer one is known the coarser is left out."""
        found: list[ProcessSample] = []
        for tier in self._tiers:
            oldest = found[0].at if found else float("inf")
            found = [sample for sample in tier.kept if sample.at + tier.seconds <= oldest] + found
        return found


class _Tier:
    def __init__(self, seconds: float, count: int) -> None:
        self.seconds = seconds
        self.kept: deque[ProcessSample] = deque(maxlen=count)
        self._open: list[ProcessSample] = []

    def add(self, sample: ProcessSample) -> None:
        """A sample that is too late for the span that is open closes it, as the mean of what it has."""
        if self._open and sample.at - self._open[0].at >= self.seconds - SLACK:
            self.kept.append(_mean(self._open))
            self._open = []
        self._open.append(sample)


def _mean(samples: list[ProcessSample]) -> ProcessSample:
    count = len(samples)
    return ProcessSample(
        samples[0].at,
        sum(sample.cpu_percent for sample in samples) / count,
        sum(sample.rss_bytes for sample in samples) // count,
        sum(sample.rate for sample in samples) / count,
    )
