"""Feeds are added and taken away ten times under 20,000 prints a second: each print is in one candle, said by one feed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.config import load_settings
from engine.domain.market import NANOSECONDS, Timeframe
from engine.orchestrator import feeds
from engine.orchestrator.capacity import CapacityDesk
from engine.orchestrator.feeds import Feeds
from engine.orchestrator.market import MarketMemory
from engine.processes.autoscaler import ScalingLimits
from engine.storage.market.address import MarketAddress
from engine.streams.messages import Candles, Message
from engine.views import Views
from tests.orchestrator.busy_tape import SPEED, SYMBOLS, FeedWorkers, Tape
from tests.shared_data import needs_shared_data
from tests.waiting import until

MOVES = (2, 3, 2, 1, 2, 3, 4, 3, 2, 1)
"""The number of feeds after each."""
RATE = 20_000
"""Prints a second, at least."""


class World:
    """Feeds that are scaled, and how many prints each of the closed seconds has that they said."""

    def __init__(self, folder: Path) -> None:
        self.said: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self.first_said: Counter[tuple[str, int]] = Counter()
        """Without corrections of what was said before."""
        self.tape, self.views, clock = Tape(), Views(), SystemClock()
        self.market = MarketMemory(self.views.quotes, clock)
        self.workers = FeedWorkers(self.tape, self._hear)
        limits, database = ScalingLimits(), MarketAddress(path=str(folder / "market.db"))
        capacity = CapacityDesk(load_settings(folder), limits, database, self.views, clock)
        self.feeds = Feeds(
            SYMBOLS, limits, capacity, self.workers, self.market, self.views, self.workers.hear,
            lambda name, symbols: (name, lambda: symbols(name)), clock, SPEED,
        )  # fmt: skip

    def _hear(self, message: Message) -> None:
        self.market.take(message)
        if isinstance(message, Candles) and message.timeframe is Timeframe.SECOND_1:
            for bar in message.bars:
                if bar.closed:
                    key = (bar.symbol, bar.timestamp // NANOSECONDS)
                    self.said[key].append(bar.trade_count)
                    self.first_said[key] += bar.revision == 0

    async def scale(self, count: int) -> None:
        done = len(self.views.scaling)
        self.feeds.choose(count)
        await until(lambda: len(self.views.scaling) > done)

    @property
    def next_second(self) -> int:
        return max(second for _, second in self.said) + 1

    async def audited(self, first: int, corrections: bool = False) -> int:
        """How many prints there were in the seconds since `first`, each of which one feed has said once, with all prints;
        with `corrections`, it may have said some first and all in a correction.
        """
        last = self.tape.now // NANOSECONDS
        await self.all_have_said(last)
        expected = {key: count for key, count in self.tape.counts.items() if first <= key[1] <= last}
        said = {key: counts for key, counts in self.said.items() if first <= key[1] <= last}
        assert {key: counts[-1] for key, counts in said.items()} == expected
        assert {key: self.first_said[key] for key in said} == dict.fromkeys(expected, 1)
        assert corrections or all(len(counts) == 1 for counts in said.values())
        return sum(expected.values())

    async def all_have_said(self, second: int) -> None:
        """Each symbol's candle of a later second than this."""
        await until(
            lambda: all(max((at for name, at in self.said if name == symbol), default=0) > second for symbol in SYMBOLS)
        )


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[World]:
    """One feed has all symbols, and has closed its first candles."""
    monkeypatch.setattr(feeds, "EVERY", 0.05)
    monkeypatch.setattr(feeds, "LEAD", 0.1)
    world = World(tmp_path)
    world.workers.add(("feed", lambda: SYMBOLS))
    await world.workers.start(["feed"])
    running = [asyncio.create_task(world.tape.run()), asyncio.create_task(world.feeds.run())]
    await world.all_have_said(0)
    yield world
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for name in list(world.workers.running):
        await world.workers.remove(name)


@needs_shared_data
async def test_ten_moves_lose_no_print_and_count_none_twice(world: World) -> None:
    first = world.next_second
    for count in MOVES:
        await world.scale(count)
        assert len(world.workers.running) == count
    prints, rate = await world.audited(first), world.tape.rate
    assert [row.outcome for row in world.views.scaling if not row.outcome.endswith("symbols moved")] == []
    sys.stdout.write(json.dumps({"moves": len(MOVES), "prints_a_second": round(rate), "audited_prints": prints}) + "\n")
    assert rate > RATE


@needs_shared_data
async def test_a_feed_that_a_person_stops_leaves_its_symbols_to_the_others_and_has_them_back_when_started(
    world: World,
) -> None:
    first = world.next_second
    await world.scale(3)
    held = {name: set(world.feeds.symbols_of(name)) for name in world.feeds.names}
    await world.workers.stop("feed-2")
    await until(lambda: world.feeds.names == ["feed", "feed-3"])
    assert {symbol for name in world.feeds.names for symbol in world.feeds.symbols_of(name)} == set(SYMBOLS)
    await world.all_have_said(world.tape.now // NANOSECONDS)
    assert list(world.workers.running) == ["feed", "feed-3"], "it is not started against that person's will"
    assert world.views.summary.feeds_chosen == 2
    await world.workers.start(["feed-2"])
    await until(lambda: {name: set(world.feeds.symbols_of(name)) for name in world.feeds.names} == held)
    await until(lambda: len(world.views.scaling) == 3)
    assert world.views.summary.feeds_chosen == 3
    assert await world.audited(first, corrections=True), "what it had not yet said is said by the others"
    reasons = [row.reason for row in world.views.scaling][1:]
    assert reasons == ["feed-2 was stopped by a person", "feed-2 was started by a person"]


@needs_shared_data
async def test_one_that_rests_is_the_first_to_be_taken_and_no_name_is_given_twice(world: World) -> None:
    await world.scale(3)
    await world.workers.stop("feed-2")
    await until(lambda: world.feeds.names == ["feed", "feed-3"])
    await world.scale(3)
    assert set(world.feeds.names) == set(world.workers.running) == {"feed", "feed-2", "feed-3"}
    assert sorted(symbol for name in world.feeds.names for symbol in world.feeds.symbols_of(name)) == SYMBOLS
