"""A backtest as a one-shot child: progress on the way, the result as a file at the end."""

from __future__ import annotations

import asyncio
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


class _StoppedError(Exception):
    pass


async def main(child: Child[Settings]) -> None:
    """Ends at the next report of progress when it is told to stop; nothing has been written then."""
    settings = child.settings
    child.ready()

    def on_progress(progress: Progress) -> None:
        if child.stopping.is_set():
            raise _StoppedError
        child.report("progress", done=progress.done, stage=progress.stage)

    try:
        result = await asyncio.to_thread(run, settings.spec, on_progress, settings.run_id, child.clock.now())
    except _StoppedError:
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
        raise DataError(f"The result cannot be saved: {error.strerror or error}.", "Free space on the disk.") from error
    return path
