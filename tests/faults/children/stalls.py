"""How long an event loop was held up by what runs on it, without the time in which the system gave the CPU to others.

Python runs one thread at a time, so the loop also waits while the thread that runs waits for the CPU: on a computer that
has nothing else to do none does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

TICK = 0.02
_THREADS = Path("/proc/self/task")


class StallWatch:
    """`worst` in seconds. Runs as a task of the loop that it watches."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        while True:
            began, waited = time.perf_counter(), _waited_for_cpu()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - began - TICK - max(_waited_for_cpu() - waited, 0.0)
            self.worst = max(self.worst, late)


def _waited_for_cpu() -> float:
    """Seconds that our threads have been ready to run and did not get a CPU."""
    return sum(_waited(thread / "schedstat") for thread in _THREADS.iterdir()) / 1e9


def _waited(schedule: Path) -> int:
    """Nanoseconds of one thread, if it has not ended."""
    with contextlib.suppress(OSError):
        return int(schedule.read_text().split()[1])
    return 0
