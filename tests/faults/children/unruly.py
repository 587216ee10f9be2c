"""A worker that works, until it is told by a file and SIGUSR2 to misbehave in one of the ways in which workers do."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.processes.child import Child, run_child

LEAK_BYTES = 130_000_000
SPEW_BYTES = 100_000_000
WORK_EVERY = 0.1
_hoard: list[bytes] = []
_stubborn = threading.Event()


class Settings(msgspec.Struct, kw_only=True):
    orders: str
    """File with the name of the misbehaviour, read at SIGUSR2."""
    dies_while_starting: bool = False


async def main(child: Child[Settings]) -> None:
    if child.settings.dies_while_starting:
        os.kill(os.getpid(), signal.SIGKILL)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, lambda: misbehave(child))
    child.ready()
    child.expect_progress(30.0)
    while not child.stopping.is_set() or _stubborn.is_set():
        child.progress()
        await asyncio.sleep(WORK_EVERY)


def misbehave(child: Child[Settings]) -> None:
    order = Path(child.settings.orders).read_text()
    if order.startswith("exit "):
        os._exit(int(order.removeprefix("exit ")))
    _WAYS[order](child)


def _hang_in_python(child: Child[Settings]) -> None:
    threading.Event().wait()


def _hang_in_c(child: Child[Settings]) -> None:
    """With the interpreter's lock, so that no thread of it can run."""
    ctypes.PyDLL(None).sleep(1_000)


def _leak(child: Child[Settings]) -> None:
    _hoard.append(b"\xff" * LEAK_BYTES)


def _spew(child: Child[Settings]) -> None:
    def write() -> None:
        line = b"x" * 99 + b"\n"
        for _ in range(SPEW_BYTES // 65_500):
            os.write(2, line * 655)
        child.detail("spewed")

    threading.Thread(target=write, daemon=True).start()


def _fork_and_die(child: Child[Settings]) -> None:
    for _ in range(3):
        subprocess.Popen(["sleep", "1000"])
    os.kill(os.getpid(), signal.SIGKILL)


def _fork(child: Child[Settings]) -> None:
    subprocess.Popen(["sleep", "1000"])


def _fork_away(child: Child[Settings]) -> None:
    """Out of the group, where no signal to the group finds it."""
    away = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    child.detail(f"away {away.pid}")


def _refuse_to_die(child: Child[Settings]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _stubborn.set()
    child.detail("refuses to die")


def _crash(child: Child[Settings]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


_WAYS: dict[str, Callable[[Child[Settings]], None]] = {
    "hang in Python": _hang_in_python,
    "hang in C": _hang_in_c,
    "leak": _leak,
    "spew": _spew,
    "fork and die": _fork_and_die,
    "fork": _fork,
    "fork away": _fork_away,
    "refuse to die": _refuse_to_die,
    "crash": _crash,
}

if __name__ == "__main__":
    sys.exit(run_child("unruly", Settings, main))
