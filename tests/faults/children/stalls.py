"""How late an event loop was, and how much of that was its own doing and not the system's, which gave the CPU to others.

A thread that is ready to run and gets no CPU is late through no fault of its code; Linux counts that time for each thread.
The loop's own is left out in full. Python runs one thread at a time, so the loop also waits while a thread of ours that
runs waits for the CPU: the others' is left out as far as the loop itself neither ran nor was ready to. Time in which the
loop's thread used the CPU always counts. Both figures are told: how late it was, and what of that was our own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path

TICK = 0.02
_THREADS = Path("/proc/self/task")
Schedule = tuple[float, float]
"""Seconds on a CPU, and seconds ready for one without it."""


class StallWatch:
    """Worst cases in seconds; `late` with the time in which the system gave us no CPU, `own` without it. Runs as a task of
    the loop that it watches.
    """

    def __init__(self) -> None:
        self.late = self.own = 0.0

    async def run(self) -> None:
        me = threading.get_native_id()
        while True:
            began, before = time.perf_counter(), _schedules()
            await asyncio.sleep(TICK)
            late, after = time.perf_counter() - began - TICK, _schedules()
            self.late = max(self.late, late)
            self.own = max(self.own, _own(late, me, before, after))


def _own(late: float, me: int, before: dict[int, Schedule], after: dict[int, Schedule]) -> float:
    """What of `late` is our doing; `me` is the loop's thread."""
    ran, waited = (now - then for now, then in zip(after[me], before[me], strict=True))
    late -= waited
    others = sum(after[each][1] - before.get(each, (0.0, 0.0))[1] for each in after if each != me)
    return late - min(others, max(late - ran, 0.0))


def _schedules() -> dict[int, Schedule]:
    """Of each thread of ours."""
    found: dict[int, Schedule] = {}
    for thread in _THREADS.iterdir():
        with contextlib.suppress(OSError):  # it has ended
            ran, waited, _ = (thread / "schedstat").read_text().split()
            found[int(thread.name)] = (int(ran) / 1e9, int(waited) / 1e9)
    return found
