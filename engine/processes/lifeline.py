"""How a child learns that its parent is gone or wants it to end, even while its own event loop is stuck.

Layers: Linux kills it when its parent dies; everywhere a thread ends it after the end of stdin, at once when the parent is
gone; what it started is ended, after its own end or the parent's, by a process that outlives the parent
(`engine.processes.guard`); and what is left even then is found by the mark in its environment at the next start
(`engine.processes.registry`).
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import itertools
import os
import secrets
import signal
import sys
import threading

MARK = "PADDOCK_STARTED_BY"
"""Environment variable `PID:TOKEN`: who started this process, and a random mark of that run. It is no secret."""
LIFE = "PADDOCK_LIFE"
"""Environment variable `MARK:NUMBER`: in which life of which child this process was started."""
GRACE = 8.0
"""Seconds that a child which was told to stop may take before it ends itself."""
LOOK = 0.1
"""Seconds between two looks for the parent meanwhile."""
_PR_SET_PDEATHSIG = 1
_lives = itertools.count(1)


def mark() -> str:
    """Ours, for the environment of what we start."""
    return _mark(os.getpid())


def new_life() -> str:
    """Of the next child that we start, and of everything that it starts."""
    return f"{mark()}:{next(_lives)}"


@functools.cache
def _mark(pid: int) -> str:
    return f"{pid}:{secrets.token_hex(16)}"


def die_with_parent() -> None:
    """Linux sends SIGKILL when the *thread* that spawned us ends; elsewhere the end of stdin has to do.

    A parent that died before this was asked for would not be noticed, so we look whether it is still there.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if _parent_is_gone():
        os._exit(1)


def _parent_is_gone() -> bool:
    """False where nobody of ours has started this process."""
    parent = os.environ.get(MARK, "").partition(":")[0]
    return parent.isdecimal() and os.getppid() != int(parent)


def watch_stdin(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    """A thread waits for the end of stdin: it works even while the event loop is stuck, and then ends the process."""

    def watch() -> None:
        while os.read(0, 4096):
            continue
        try:
            loop.call_soon_threadsafe(stopping.set)
        except RuntimeError:
            return
        for _ in range(round(GRACE / LOOK)):
            if _parent_is_gone():
                break
            threading.Event().wait(LOOK)
        os._exit(1)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
