"""Whether a process uses more memory or CPU than it may: first a warning, then it is to be recycled."""

from __future__ import annotations

from collections.abc import Sequence

from engine.processes.sampling import Sample
from engine.processes.specification import ProcessSpec

WARN_AT = 0.8
CPU_SECONDS = 60
"""CPU is judged by the mean of so many samples, one a second: a burst is no fault."""
MEMORY_SAMPLES = 2
"""Memory is judged by so many samples, so that a peak between two collections of garbage is no fault."""


def used(spec: ProcessSpec, recent: Sequence[Sample]) -> list[tuple[float, str]]:
    """(share of the limit, in words) for each limit that the process has and that can be judged yet.

    `recent` are the samples of this life, one a second, oldest first.
    """
    found: list[tuple[float, str]] = []
    if spec.memory_limit and len(recent) >= MEMORY_SAMPLES:
        rss = min(sample.rss_bytes for sample in recent[-MEMORY_SAMPLES:])
        words = f"memory {rss / 1e6:,.0f} MB of {spec.memory_limit / 1e6:,.0f} MB"
        found.append((rss / spec.memory_limit, words))
    if spec.cpu_limit and len(recent) >= CPU_SECONDS:
        cpu = sum(sample.cpu_percent for sample in recent[-CPU_SECONDS:]) / CPU_SECONDS
        found.append((cpu / spec.cpu_limit, f"CPU {cpu:.0f} % of {spec.cpu_limit:.0f} % for a minute"))
    return found
