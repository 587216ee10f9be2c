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
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

TICK = 0.02
AT_ONCE = 0.005
LONG = 0.1
LOOK_EVERY = 0.02
"""Seconds."""
CALLS = 10
"""Of a stack, the innermost."""
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
        with _Onlooker() as onlooker:
            while True:
                began, before = _at_once(_schedules)
                self._children = 0.0
                onlooker.expect()
                await asyncio.sleep(TICK)
                stack = onlooker.seen()
                # What it takes to read the other threads' times, which is long on a machine that is full, is not the loop's.
                ended, here = _at_once(lambda: _schedule(mine))
                late = ended - began - TICK
                own = _own(late, me, before, {**_schedules(), me: here}, self._children)
                self.late, self.own = max(self.late, late), max(self.own, own)
                if own > LONG:
                    self.stacks.append(f"{own * 1_000:.0f} ms: {stack}")


class _Onlooker:
    """Sees from a thread of its own where the one that made it is, when that is `LONG` overdue.

    With the interpreter's lock, so what is seen of a long call in C is the line after it; faulthandler's watchdog looks
    without the lock, and dies of frames that change while it reads them.
    """

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._expected = time.perf_counter()
        self._stack = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="stalls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def expect(self) -> None:
        """The loop again after `TICK`."""
        self._stack, self._expected = "", time.perf_counter() + TICK

    def seen(self) -> str:
        return self._stack

    def _look(self) -> None:
        while not self._done.wait(LOOK_EVERY):
            if self._stack or time.perf_counter() < self._expected + LONG - LOOK_EVERY:
                continue
            calls = traceback.extract_stack(sys._current_frames()[self._watched])[-CALLS:]
            self._stack = " < ".join(
                f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in reversed(calls)
            )


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
