"""Run by its path as `orphan_reaper.py PARENT MARK`: end the processes that children leave behind.

Each line on stdin is the mark of a child's life that is over: what was started in it ends, whatever group it has moved
to. The parent holds our stdin, which ends with it however it ends: then ends every process that carries its own MARK.
We import nothing of the project, to cost little.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Set
from pathlib import Path

PAUSE = 0.05
"""Seconds between two looks."""
LOOKS_AT_PARENT = 40
"""Its files are closed a little before it counts as gone."""
LOOKS_AT_ORPHANS = 200
_PROC = Path("/proc")
QUIET = 2
"""Looks in a row that must find none: one may have been forked while we looked."""


class Hunt:
    """For the processes whose environment has one of the wanted entries; each until there are none, or no more hope."""

    def __init__(self) -> None:
        self._looks: dict[bytes, int] = {}
        self._quiet: dict[bytes, int] = {}

    @property
    def is_on(self) -> bool:
        return bool(self._looks)

    def want(self, entry: bytes) -> None:
        self._looks[entry] = LOOKS_AT_ORPHANS
        self._quiet[entry] = 0

    def look(self) -> None:
        """End what is there now."""
        found: set[bytes] = set()
        for pid, entry in _carriers(self._looks.keys()):
            found.add(entry)
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for entry in list(self._looks):
            self._looks[entry] -= 1
            self._quiet[entry] = 0 if entry in found else self._quiet[entry] + 1
            if self._quiet[entry] == QUIET or not self._looks[entry]:
                del self._looks[entry], self._quiet[entry]


def main(parent: int, mark: str) -> None:
    hunt = Hunt()
    _serve(hunt)
    if _is_gone(parent):
        hunt.want(f"PADDOCK_STARTED_BY={mark}".encode())
        while hunt.is_on:
            hunt.look()
            time.sleep(PAUSE)


def _serve(hunt: Hunt) -> None:
    """Until stdin ends; hear of more lives while there is still something to be looked for."""
    rest = b""
    while True:
        if not hunt.is_on or select.select([0], [], [], PAUSE)[0]:
            said = os.read(0, 4096)
            if not said:
                return
            *lives, rest = (rest + said).split(b"\n")
            for life in lives:
                hunt.want(b"PADDOCK_LIFE=" + life)
        hunt.look()


def _is_gone(parent: int) -> bool:
    for _ in range(LOOKS_AT_PARENT):
        if os.getppid() != parent:
            return True
        time.sleep(PAUSE)
    return False


def _carriers(wanted: Set[bytes]) -> Iterator[tuple[int, bytes]]:
    """The number of each process that carries a wanted entry, and that entry."""
    found = _in_proc(wanted) if _PROC.is_dir() else _by_ps(wanted)
    return ((pid, entry) for pid, entry in found if pid != os.getpid())


def _in_proc(wanted: Set[bytes]) -> Iterator[tuple[int, bytes]]:
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for entry in wanted & set((folder / "environ").read_bytes().split(b"\0")):
                yield int(folder.name), entry


def _by_ps(wanted: Set[bytes]) -> Iterator[tuple[int, bytes]]:
    """On macOS, whose ps shows the environment of our own processes after their command, but not of the system's own
    programs: what they do in a group of their own is ended only with what started them.
    """
    listed = subprocess.run(["ps", "-axwwE", "-o", "pid=,command="], capture_output=True, check=False).stdout
    for line in listed.splitlines():
        pid, *words = line.split()
        for entry in wanted & set(words):
            yield int(pid), entry


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
