"""Which children run, in a file: so that the next start finds those that outlived a console which was killed.

Each console has a random mark, which its children and theirs carry in their environment. A process is ended at the next
start only when its mark is that of the file; a pid alone proves nothing, because pids are used again.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
import psutil

from engine.processes.lifeline import MARK, mark

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = 2.0
"""Seconds by which a creation time may differ between two readings: it is counted from the time of boot."""


class ChildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`created` is the system's creation time in seconds since the epoch."""

    name: str
    pid: int
    created: float


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    mark: str
    children: list[ChildRecord]


class ChildRegistry:
    """Of this run. `write` is called in a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, children: dict[str, int]) -> None:
        """The pid of each running child by name; those that ended meanwhile are left out."""
        records = [record for name, pid in children.items() if (record := _record(name, pid)) is not None]
        run = RunRecord(mark=mark(), children=records)
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.encode(run))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)

    def close(self) -> None:
        """All children are gone. A disk that refuses keeps the file; the next sweep finds none of them."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def sweep(paths: Iterable[Path]) -> list[str]:
    """Kill what earlier runs left behind, and forget these runs; returns what was found, in words.

    Call it while holding the lock of the data folder, so that no file is of a console that still runs.
    """
    runs = {run.mark: run for path in paths if (run := _read(path)) is not None}
    found = [_end(process, runs[carried]) for carried, process in _marked(set(runs))] if runs else []
    for path in paths:
        path.unlink(missing_ok=True)
    return found


def _read(path: Path) -> RunRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("the list of children in %s cannot be read: %s", path, error)
        return None


def _record(name: str, pid: int) -> ChildRecord | None:
    try:
        return ChildRecord(name=name, pid=pid, created=psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _marked(marks: set[str]) -> list[tuple[str, psutil.Process]]:
    """Every process of ours, and of theirs, whatever group it has moved to."""
    found: list[tuple[str, psutil.Process]] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            carried = process.environ().get(MARK, "") if process.pid != os.getpid() else ""
            if carried in marks:
                found.append((carried, process))
    return found


def _end(process: psutil.Process, run: RunRecord) -> str:
    name = next((child.name for child in run.children if _is_same(process, child)), "a process of a child")
    with contextlib.suppress(psutil.Error):
        process.kill()
    return f"{name} (process {process.pid})"


def _is_same(process: psutil.Process, child: ChildRecord) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.pid == child.pid and bool(abs(process.create_time() - child.created) < CLOCK_TOLERANCE)
    return False
