"""Run by its path as `orphan_reaper.py PARENT MARK`: when the parent is gone, end every process that carries its mark.

The parent holds our stdin, which ends with it however it ends. We import nothing of the project, to cost little.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PAUSE = 0.05
"""Seconds between two looks."""
LOOKS_AT_PARENT = 40
"""Its files are closed a little before it counts as gone."""
LOOKS_AT_ORPHANS = 200
_PROC = Path("/proc")
QUIET = 2
"""Looks in a row that must find none: one may have been forked while we looked."""


def main(parent: int, mark: str) -> None:
    while os.read(0, 4096):
        continue
    if _is_gone(parent):
        _end_all(f"PADDOCK_STARTED_BY={mark}".encode())


def _is_gone(parent: int) -> bool:
    for _ in range(LOOKS_AT_PARENT):
        if os.getppid() != parent:
            return True
        time.sleep(PAUSE)
    return False


def _end_all(wanted: bytes) -> None:
    quiet = 0
    for _ in range(LOOKS_AT_ORPHANS):
        found = list(_carriers(wanted))
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        quiet = 0 if found else quiet + 1
        if quiet == QUIET:
            return
        time.sleep(PAUSE)


def _carriers(wanted: bytes) -> Iterator[int]:
    return _in_proc(wanted) if _PROC.is_dir() else _by_ps(wanted)


def _in_proc(wanted: bytes) -> Iterator[int]:
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


def _by_ps(wanted: bytes) -> Iterator[int]:
    """On macOS, whose ps shows the environment of our own processes after their command."""
    listed = subprocess.run(["ps", "-axwwE", "-o", "pid=,command="], capture_output=True, check=False).stdout
    for line in listed.splitlines():
        pid, *words = line.split()
        if wanted in words:
            yield int(pid)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
