"""Start an operating-system process in one step, and hear of its end before the system forgets its number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO

from engine.domain.errors import UnavailableError
from engine.processes.guard import GUARD
from engine.processes.lifeline import LIFE, MARK, mark

if sys.platform == "win32":
    from engine.processes.windows_job import join_job

    KILL = signal.SIGTERM
else:
    KILL = signal.SIGKILL


def spawn(arguments: Sequence[str], life: str) -> subprocess.Popen[bytes]:
    """A process of a session and group of its own, with a way to each standard stream, ready for an event loop.

    It is there when this returns; asyncio's own way lets it run for several rounds of the loop before it tells its pid.
    Whatever it starts carries `life`, of `lifeline.new_life()`, in its environment.
    Call it in a thread that lives as long as this process: on Linux a child dies with the thread that spawned it.
    Raises UnavailableError when the system cannot start it.
    """
    try:
        # stderr is apart, so that a flood on it does not hold up the heartbeats.
        with _Outlet() as stdout, _Outlet() as stderr:
            process = subprocess.Popen(
                arguments,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=stdout.theirs,
                stderr=stderr.theirs,
                start_new_session=True,
                env={**os.environ, MARK: mark(), LIFE: life},
            )
            process.stdout, process.stderr = process.stdout or stdout.ours(), process.stderr or stderr.ours()
        if sys.platform == "win32":
            join_job(process.pid)
        return process
    except OSError as error:
        raise UnavailableError(
            f"{arguments[0]} cannot be started: {error.strerror or error}.",
            "Look at the memory and process limits of this machine.",
        ) from None


class _Outlet:
    """What a child writes to: a socket, as under systemd, where there are such.

    Who writes to a pipe holds its lock while it copies. A child that floods and is then not given the CPU keeps whoever
    reads from it waiting in the kernel, which was the event loop, for up to 200 ms; a socket has no such lock.
    """

    def __init__(self) -> None:
        pair = None if sys.platform == "win32" else socket.socketpair()
        self._pair = pair
        self.theirs: int = subprocess.PIPE if pair is None else pair[1].fileno()

    def __enter__(self) -> _Outlet:
        return self

    def ours(self) -> BinaryIO | None:
        return None if self._pair is None else os.fdopen(self._pair[0].detach(), "rb", 0)

    def __exit__(self, *_: object) -> None:
        for end in self._pair or ():
            end.close()


def tell_end(process: subprocess.Popen[bytes], life: str, ended: asyncio.Event) -> None:
    """Set `ended` of the running loop when the process itself has ended; what it started may hold its pipes for ever, and
    is ended, too: its group at once, and what has left it as soon as the guard has found it.
    """
    try:
        watched = _watched(process.pid)
    except OSError:  # another system than Linux, or an old one, or no file is left to be opened
        _tell_from_thread(process, life, ended)
        return
    loop = asyncio.get_running_loop()

    def reap() -> None:
        loop.remove_reader(watched)
        os.close(watched)
        # While it is not reaped, its number can be no other group's.
        signal_group(process, KILL)
        process.wait()
        GUARD.end(life)
        ended.set()

    loop.add_reader(watched, reap)


def _watched(pid: int) -> int:
    """A descriptor that can be read from when the process has ended. Raises OSError."""
    if sys.platform == "linux":
        return os.pidfd_open(pid)
    raise OSError("only Linux has such descriptors")


def _tell_from_thread(process: subprocess.Popen[bytes], life: str, ended: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def tell() -> None:
        GUARD.end(life)
        ended.set()

    def wait() -> None:
        process.wait()
        signal_group(process, KILL)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody asks any more
            loop.call_soon_threadsafe(tell)

    threading.Thread(target=wait, name=f"wait-{process.pid}", daemon=True).start()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the process and everything it started that has not left its group; on Windows, which has neither, its end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
