"""How long an event loop was held up by what runs on it, without the time in which the system gave the CPU to others."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

TICK = 0.02
_SCHEDULE = Path("/proc/thread-self/schedstat")


class StallWatch:
    """`worst` in seconds. Runs as a task of the loop that it watches."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        while True:
            began, waited = time.perf_counter(), _waited_for_cpu()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - began - TICK - (_waited_for_cpu() - waited)
            self.worst = max(self.worst, late)


def _waited_for_cpu() -> float:
    """Seconds that this thread has been ready to run and did not get a CPU."""
    return int(_SCHEDULE.read_text().split()[1]) / 1e9
