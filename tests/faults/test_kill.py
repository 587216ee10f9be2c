"""kill -9 at every step between a signal and its fills, and on the way out: the next start knows all, and once only."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.dying_engine import ONCE, STEPS
from tests.faults.kill import one

AT_ONCE = 3


@pytest.mark.e2e
@pytest.mark.timeout(600)
async def test_a_killed_engine_comes_back_to_what_the_venue_has() -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    ended: dict[str, list[str]] = {}
    traded: dict[str, int] = {}

    async def killed_at(step: str) -> None:
        async with turn:
            # The third time, so that there is something before it that must not be lost.
            _, ended[step], traded[step] = await one(step, 1 if step in ONCE else 3)

    await asyncio.gather(*(killed_at(step) for step in STEPS))
    assert ended == {step: [] for step in STEPS}
    assert sum(traded.values()) > len(STEPS)
