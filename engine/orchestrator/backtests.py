"""Backtests as jobs: a child process each, results in the data folder."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from engine.backtest.result import BacktestResult, BacktestSpec, Progress, read_result
from engine.clock import Clock, IdFactory
from engine.processes.events import ProcessEvent
from engine.processes.job import Job

log = logging.getLogger(__name__)

RESULTS_SHOWN = 50
RESULT_FILE = "result.json"


class RunningBacktest:
    """See `engine.control.BacktestJob`."""

    def __init__(self, run_id: str, job: Job) -> None:
        self.run_id = run_id
        self._job = job

    async def progress(self) -> AsyncIterator[Progress]:
        async for fields in self._job.progress():
            yield msgspec.convert(fields, Progress)

    async def result(self) -> BacktestResult:
        fields = await self._job.result()
        return read_result(Path(fields["path"]))

    def cancel(self) -> None:
        self._job.cancel()


class BacktestDesk:
    def __init__(self, folder: Path, clock: Clock, ids: IdFactory, on_event: Callable[[ProcessEvent], None]) -> None:
        self._folder = folder
        self._clock = clock
        self._ids = ids
        self._on_event = on_event
        self._jobs: list[Job] = []

    async def start(self, spec: BacktestSpec) -> RunningBacktest:
        run_id = self._ids.ulid()
        settings = {"spec": spec, "folder": str(self._folder), "run_id": run_id}
        job = await Job.begin(
            "backtest", f"backtest {spec.strategy} {spec.symbol}", settings, self._clock, self._on_event
        )
        self._jobs = [known for known in self._jobs if not known.done] + [job]
        return RunningBacktest(run_id, job)

    def results(self) -> list[BacktestResult]:
        """Newest first: run ids begin with their time."""
        found: list[BacktestResult] = []
        for path in sorted(self._folder.glob(f"*/{RESULT_FILE}"), reverse=True)[:RESULTS_SHOWN]:
            try:
                found.append(read_result(path))
            except (OSError, msgspec.MsgspecError) as error:
                log.warning("The backtest result %s cannot be read: %s", path, error)
        return found

    async def close(self) -> None:
        for job in self._jobs:
            await job.close()
