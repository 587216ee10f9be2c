"""The request limit and the threads: cancels pass everything, and nothing of ours outlives the console."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from engine.broker.base import NotSentError
from engine.broker.lane import MOST_WAITING, Lane
from engine.broker.limiter import RateLimiter, Use
from engine.clock import ManualClock
from tests.waiting import until

FAST = 6_000.0
"""Requests a minute: the limiter then looks at the clock every few milliseconds."""


async def test_reads_wait_first_and_orders_then() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, FAST)
    for _ in range(int(FAST * 0.7)):
        await limiter.acquire(Use.READ)
    read = asyncio.create_task(limiter.acquire(Use.READ))
    for _ in range(int(FAST * 0.1)):
        await limiter.acquire(Use.ORDER)
    order = asyncio.create_task(limiter.acquire(Use.ORDER))
    await asyncio.sleep(0)
    assert not order.done()
    clock.advance(2 * 60 / FAST)
    await asyncio.wait_for(order, 10)
    assert not read.done()
    clock.advance(60)
    await asyncio.wait_for(read, 10)


async def test_cancels_never_wait() -> None:
    limiter = RateLimiter(ManualClock(), FAST)
    for _ in range(int(FAST * 2)):
        await limiter.acquire(Use.CANCEL)
    assert limiter.used == 1


async def test_after_the_venues_own_refusal_reads_get_what_it_gives_back() -> None:
    clock = ManualClock()
    limiter = RateLimiter(clock, FAST)
    limiter.exceeded()
    read = asyncio.create_task(limiter.acquire(Use.READ))
    await limiter.acquire(Use.ORDER)
    assert not read.done()
    clock.advance(1)
    await asyncio.wait_for(read, 10)


async def test_a_call_given_up_before_its_turn_is_never_made() -> None:
    lane = Lane("test")
    held, made = threading.Event(), list[str]()
    first = asyncio.create_task(lane.run(held.wait))
    second = asyncio.create_task(lane.run(lambda: made.append("second")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    held.set()
    assert await first
    await lane.run(lambda: made.append("third"))
    assert made == ["third"]
    lane.close()


async def test_calls_that_wait_when_the_lane_closes_are_told_that_they_were_not_made() -> None:
    lane = Lane("test")
    begun, held = threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return held.wait()

    first = asyncio.create_task(lane.run(hold))
    await until(begun.is_set)
    second = asyncio.create_task(lane.run(lambda: None))
    await asyncio.sleep(0)
    lane.close()
    for call in (second, asyncio.create_task(lane.run(lambda: None))):
        with pytest.raises(NotSentError):
            await call
    held.set()
    assert await first


async def test_a_lane_takes_only_so_many_calls() -> None:
    lane = Lane("test")
    begun, held = threading.Event(), threading.Event()

    def hold() -> bool:
        begun.set()
        return held.wait()

    calls = [asyncio.create_task(lane.run(hold))]
    await until(begun.is_set)
    calls += [asyncio.create_task(lane.run(lambda: None)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(NotSentError):
        await lane.run(lambda: None)
    held.set()
    await asyncio.gather(*calls)
    lane.close()


SCRIPT = """
import asyncio, threading
from engine.broker.lane import Lane

async def main():
    lane = Lane("hangs")
    begun = threading.Event()
    def hang():
        begun.set()
        threading.Event().wait()
    task = asyncio.create_task(lane.run(hang))
    await asyncio.to_thread(begun.wait)
    lane.close()
    task.cancel()

asyncio.run(main())
print("done")
"""


def test_a_request_that_hangs_does_not_keep_the_process_alive() -> None:
    ended = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")
