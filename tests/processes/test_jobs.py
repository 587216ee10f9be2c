"""Jobs: one-shot children with progress and a result."""

from __future__ import annotations

import asyncio
import sys

import pytest

from engine.clock import SystemClock
from engine.domain.errors import PaddockError
from engine.processes import job as jobs
from engine.processes.job import Job


@pytest.fixture(autouse=True)
def _test_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "worker_command", lambda kind: [sys.executable, "-m", "tests.processes.worker"])


async def begin(mode: str) -> Job:
    return await Job.begin("test", "job", {"mode": mode}, SystemClock(), lambda event: None)


async def test_a_job_reports_progress_and_a_result() -> None:
    job = await begin("job")
    seen = [report["done"] async for report in job.progress()]
    assert seen == [0.0, 0.2, 0.4, 0.6, 0.8]
    assert await job.result() == {"answer": 42}


async def test_a_job_that_fails_says_why() -> None:
    job = await begin("bad-job")
    with pytest.raises(PaddockError, match="No such file") as caught:
        await job.result()
    assert caught.value.remedy == "Choose another."


async def test_a_job_that_crashes_says_how() -> None:
    job = await begin("crash")
    with pytest.raises(PaddockError, match="SIGSEGV"):
        await job.result()


async def test_a_cancelled_job_is_gone() -> None:
    job = await begin("deaf")
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job.result()
