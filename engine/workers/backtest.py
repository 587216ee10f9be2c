"""A backtest as a one-shot child: progress on the way, the result as a file at the end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec

from engine.backtest.result import BacktestResult, BacktestSpec, Progress
from engine.backtest.runner import run
from engine.domain.errors import DataError
from engine.processes.child import Child

RESULT_FILE = "result.json"


class Settings(msgspec.Struct, kw_only=True):
    """`folder` holds all runs; this one's is made in it."""

    spec: BacktestSpec
    folder: str
    run_id: str


REPORT_EVERY = 0.1
"""Seconds between two reports of progress; a new stage is told at once."""


class _StoppedError(Exception):
    pass


class _Teller:
    """Tells the parent how far the run is, and ends the run when it is told to stop. Called in the run's thread."""

    def __init__(self, child: Child[Settings]) -> None:
        self._child = child
        self._stage = ""
        self._due = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._child.stopping.is_set():
            raise _StoppedError
        now = self._child.clock.monotonic()
        if now < self._due and progress.stage == self._stage:
            return
        self._due, self._stage = now + REPORT_EVERY, progress.stage
        self._child.report("progress", done=progress.done, stage=progress.stage)


async def main(child: Child[Settings]) -> None:
    """Ends at the next step of the run when it is told to stop; nothing has been written then."""
    settings = child.settings
    child.ready()
    try:
        result = await asyncio.to_thread(run, settings.spec, _Teller(child), settings.run_id, child.clock.now())
    except _StoppedError:
        return
    if child.stopping.is_set():
        return
    path = await asyncio.to_thread(save, result, Path(settings.folder))
    child.report("result", path=str(path))


def save(result: BacktestResult, folder: Path) -> Path:
    """Raises DataError when the data folder cannot be written."""
    path = folder / result.run_id / RESULT_FILE
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(msgspec.json.encode(result))
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise DataError(f"The result cannot be saved: {error.strerror or error}.", "Free space on the disk.") from error
    return path
