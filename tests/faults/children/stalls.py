"""How late an event loop was, and how much of that was its own doing and not the system's, which gave the CPU to others.

A thread that is ready to run and gets no CPU is late through no fault of its code; Linux counts that time for each thread.
The loop's own is left out in full. Python runs one thread at a time, so the loop also waits while a thread of ours that
runs waits for the CPU; and to start a child (vfork) is to wait until that child has had the CPU. The others' is left out
as far as the loop itself neither ran nor was ready to. Time in which the loop's thread used the CPU always counts. Both
figures are told: how late it was, and what of that was our own.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

TICK = 0.02
AT_ONCE = 0.005
LONG = 0.1
"""Seconds."""
_PROC = Path("/proc")
_THREADS = _PROC / "self/task"
Popen = subprocess.Popen[bytes]
Schedule = tuple[float, float]
"""Seconds on a CPU, and seconds ready for one without it."""
T = TypeVar("T")


class StallWatch:
    """Worst cases in seconds; `late` with the time in which the system gave us no CPU, `own` without it. Runs as a task of
    the loop that it watches. `stacks` tell where the loop was in each that was `LONG`; one that was in `select`, with
    nothing to do, is a machine that stood still as a whole.
    """

    def __init__(self) -> None:
        self.late = self.own = 0.0
        self.stacks: list[str] = []
        self._children = 0.0

    def times(self, spawn: Callable[[Sequence[str], str], Popen]) -> Callable[[Sequence[str], str], Popen]:
        """The same, but what each child waited for the CPU until it ran its own program is known."""

        def timed(arguments: Sequence[str], life: str) -> Popen:
            process = spawn(arguments, life)
            with contextlib.suppress(OSError):
                self._children += _schedule(_PROC / str(process.pid))[1]
            return process

        return timed

    async def run(self) -> None:
        me = threading.get_native_id()
        mine = _THREADS / str(me)
        with tempfile.TemporaryFile("w+") as dump:
            while True:
                began, before = _at_once(_schedules)
                self._children = 0.0
                faulthandler.dump_traceback_later(TICK + LONG, file=dump)
                try:
                    await asyncio.sleep(TICK)
                finally:
                    faulthandler.cancel_dump_traceback_later()
                # What it takes to read the other threads' times, which is long on a machine that is full, is not the loop's.
                ended, here = _at_once(lambda: _schedule(mine))
                late = ended - began - TICK
                own = _own(late, me, before, {**_schedules(), me: here}, self._children)
                self.late, self.own = max(self.late, late), max(self.own, own)
                stack = _dumped(dump)
                if own > LONG:
                    self.stacks.append(f"{own * 1_000:.0f} ms: {stack}")


def _dumped(file: IO[str]) -> str:
    """What faulthandler wrote of the loop's thread, which is the main one and told last; innermost call first."""
    file.seek(0)
    *_, calls = file.read().split("most recent call first):\n")
    file.seek(0)
    file.truncate()
    return " < ".join(line.strip() for line in calls.splitlines()[:8])


def _own(late: float, me: int, before: dict[int, Schedule], after: dict[int, Schedule], children: float) -> float:
    """What of `late` is our doing; `me` is the loop's thread, and `children` what those that it started waited."""
    ran, waited = (now - then for now, then in zip(after[me], before[me], strict=True))
    late -= waited
    others = children + sum(after[each][1] - before.get(each, (0.0, 0.0))[1] for each in after if each != me)
    return late - min(others, max(late - ran, 0.0))


def _at_once(read: Callable[[], T]) -> tuple[float, T]:
    """The time and what is read, together: without the CPU lost in between, which only one of them had."""
    while True:
        at, found = time.perf_counter(), read()
        if time.perf_counter() - at < AT_ONCE:
            return at, found


def _schedules() -> dict[int, Schedule]:
    """Of each thread of ours."""
    found: dict[int, Schedule] = {}
    for thread in _THREADS.iterdir():
        with contextlib.suppress(OSError):  # it has ended
            found[int(thread.name)] = _schedule(thread)
    return found


def _schedule(of: Path) -> Schedule:
    ran, waited, _ = (of / "schedstat").read_text().split()
    return int(ran) / 1e9, int(waited) / 1e9
