"""kill -9 at every step between a signal and its fills, and on the way out: the next start knows all, and once only."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.agreement import Account
from tests.faults.dying_engine import STEPS
from tests.faults.kill import exchange, one

AT_ONCE = 2


@pytest.mark.e2e
@pytest.mark.timeout(600)
async def test_a_killed_engine_comes_back_to_what_the_venue_has() -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    ended: dict[str, list[str]] = {}
    traded = 0

    async def killed_at(step: str, url: str) -> None:
        nonlocal traded
        async with turn:
            _, ended[step], orders = await one(step, Account(url, key=step))
            traded += orders

    async with exchange() as url:
        await asyncio.gather(*(killed_at(step, url) for step in STEPS))
    assert ended == {step: [] for step in STEPS}
    assert traded > len(STEPS)
