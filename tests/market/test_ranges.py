"""`get_bars` on the real exchange, a real lake and a real Redis: each gap is filled once, and everything is stamped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import SystemClock
from engine.domain.errors import UnavailableError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.domain.spans import Span, joined
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory, BarsFound
from engine.market.history.sources import BrokerSource, DatabaseSource, Found, LakeSource
from engine.market.rest import MarketRest
from engine.storage.lake.lake import Lake
from engine.storage.lake.objects import LocalFolder
from tests.market.conftest import exchange
from tests.services import Redis, free_port

MINUTE, DAY = 60 * NANOSECONDS, 86_400 * NANOSECONDS
NOW = 1_381_190_400 * NANOSECONDS + 15 * 3_600 * NANOSECONDS
M1 = Timeframe.MINUTE_1


def bar(at: int, close: float = 10.0, revision: int = 0) -> Bar:
    return Bar("SPY", M1, at, close, close, close, close, 1.0, 1, close, True, revision)


class Counted:
    """A source that answers from a list of bars, for all it is asked, and remembers what that was."""

    def __init__(self, name: str, bars: Sequence[Bar], fails: bool = False) -> None:
        self.name = name
        self.asked: list[Span] = []
        self.fails = fails
        self._bars = bars

    async def read(self, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> Found:
        await asyncio.sleep(0)
        self.asked += spans
        if self.fails:
            raise UnavailableError(f"The {self.name} is away.")
        return Found([b for b in self._bars if any(s.start <= b.timestamp < s.end for s in spans)], spans)


class Table:
    def __init__(self, bars: Sequence[Bar]) -> None:
        self._bars = bars

    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> Sequence[Bar]:
        return [b for b in self._bars if start <= b.timestamp < end]


def minutes(start: int, end: int) -> list[Bar]:
    return [bar(at) for at in range(start, end, MINUTE)]


def sources_of(found: BarsFound) -> dict[str, list[Span]]:
    names = dict.fromkeys(stamp.source for stamp in found.stamps)
    return {name: joined(stamp.span for stamp in found.stamps if stamp.source == name) for name in names}


@asynccontextmanager
async def venue(url: str) -> AsyncIterator[MarketRest]:
    rest = MarketRest(url, url, "key", "secret", "iex")
    try:
        yield rest
    finally:
        await rest.close()


async def test_bars_of_days_come_from_the_broker_once_then_from_memory_and_after_a_restart_from_the_lake(
    tmp_path: Path,
) -> None:
    async with exchange(symbols=("SPY", "BTC/USD")) as server, venue(server.url) as rest:
        now, _ = await rest.market_time()
        start, end = now // DAY * DAY - 3 * DAY, now // DAY * DAY - DAY + 90 * MINUTE
        lake = LakeSource(Lake(LocalFolder(tmp_path)))

        def history() -> BarHistory:
            return BarHistory(ChunkCache(SystemClock(), "test"), [lake, BrokerSource(rest)], [lake])

        one = history()
        for symbol in ("SPY", "BTC/USD"):
            first = await one.get_bars(symbol, M1, start, end, now)
            assert list(sources_of(first)) == ["broker"]
            assert len(first.bars) > 1_000
            assert all(sooner.timestamp < later.timestamp for sooner, later in pairwise(first.bars))
            assert {b.symbol for b in first.bars} == {symbol}
            again = await one.get_bars(symbol, M1, start, end, now)
            assert (sources_of(again), again.bars) == ({"memory": [Span(start, end)]}, first.bars)
            later = await history().get_bars(symbol, M1, start, end, now)
            assert (sources_of(later), later.bars) == ({"lake": [Span(start, end)]}, first.bars)


async def test_the_newest_bars_are_asked_for_again_until_they_have_settled() -> None:
    broker = Counted("broker", minutes(NOW - 60 * MINUTE, NOW + 60 * MINUTE))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [broker])
    found = await history.get_bars("SPY", M1, NOW - 30 * MINUTE, NOW + 10 * MINUTE, NOW)
    assert [b.timestamp for b in found.bars] == list(range(NOW - 30 * MINUTE, NOW, MINUTE))
    await history.get_bars("SPY", M1, NOW - 30 * MINUTE, NOW, NOW)
    first, second = broker.asked
    assert first.start == NOW - 30 * MINUTE
    assert NOW - 5 * MINUTE < second.start <= NOW - 2 * MINUTE


async def test_only_what_the_database_has_not_is_asked_from_the_broker() -> None:
    known = [
        b for b in minutes(NOW - 600 * MINUTE, NOW - 60 * MINUTE) if not 200 <= (NOW - b.timestamp) // MINUTE < 300
    ]
    broker = Counted("broker", minutes(NOW - 700 * MINUTE, NOW))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [DatabaseSource(Table(known)), broker])
    found = await history.get_bars("SPY", M1, NOW - 600 * MINUTE, NOW - 100 * MINUTE, NOW)
    assert len(found.bars) == 500
    assert broker.asked == [Span(NOW - 299 * MINUTE, NOW - 199 * MINUTE)]
    assert sources_of(found) == {
        "database": [Span(NOW - 600 * MINUTE, NOW - 299 * MINUTE), Span(NOW - 199 * MINUTE, NOW - 100 * MINUTE)],
        "broker": broker.asked,
    }


async def test_callers_at_once_make_one_question_whatever_ranges_they_ask_for() -> None:
    broker = Counted("broker", minutes(NOW - 2_000 * MINUTE, NOW))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [broker])
    ranges = [(NOW - (900 + 100 * (i % 3)) * MINUTE, NOW - 100 * MINUTE) for i in range(30)]
    answers = await asyncio.gather(*(history.get_bars("SPY", M1, start, end, NOW) for start, end in ranges))
    assert [len(found.bars) for found in answers] == [(end - start) // MINUTE for start, end in ranges]
    asked = sum(span.end - span.start for span in broker.asked)
    assert asked == sum(span.end - span.start for span in joined(broker.asked)), "nothing was asked for twice"
    assert len(broker.asked) <= 3


async def test_one_who_gives_up_does_not_spoil_it_for_the_others() -> None:
    broker = Counted("broker", minutes(NOW - 100 * MINUTE, NOW))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [broker])
    asking = [
        asyncio.create_task(history.get_bars("SPY", M1, NOW - 90 * MINUTE, NOW - 30 * MINUTE, NOW)) for _ in range(2)
    ]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert len((await asking[1]).bars) == 60
    assert len(broker.asked) == 1


async def test_a_part_is_given_with_what_is_missing_and_nothing_at_all_is_an_error() -> None:
    broker = Counted("broker", minutes(NOW - 100 * MINUTE, NOW), fails=True)
    table = DatabaseSource(Table(minutes(NOW - 100 * MINUTE, NOW - 50 * MINUTE)))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [table, broker])
    found = await history.get_bars("SPY", M1, NOW - 100 * MINUTE, NOW - 10 * MINUTE, NOW)
    assert len(found.bars) == 50
    assert found.missing == [Span(NOW - 50 * MINUTE, NOW - 10 * MINUTE)]
    assert found.problems == ["The broker is away."]
    with pytest.raises(UnavailableError, match="broker is away"):
        await history.get_bars("SPY", M1, NOW - 40 * MINUTE, NOW - 10 * MINUTE, NOW)
    broker.fails = False
    whole = await history.get_bars("SPY", M1, NOW - 100 * MINUTE, NOW - 10 * MINUTE, NOW)
    assert (len(whole.bars), whole.missing, whole.problems) == (90, [], [])


async def test_a_lake_that_cannot_be_written_hinders_nobody(tmp_path: Path) -> None:
    (tmp_path / "1m").write_text("no folder")
    lake = LakeSource(Lake(LocalFolder(tmp_path)))
    broker = Counted("broker", minutes(NOW - 3 * DAY, NOW))
    history = BarHistory(ChunkCache(SystemClock(), "test"), [broker], [lake])
    assert len((await history.get_bars("SPY", M1, NOW - 2 * DAY, NOW - DAY, NOW)).bars) == 1_440


async def test_two_processes_share_what_one_has_read_through_redis(redis_server: Redis) -> None:
    broker = Counted("broker", minutes(NOW - 2 * DAY, NOW))
    client = redis.asyncio.Redis(host="127.0.0.1", port=redis_server.port)
    one, two = (BarHistory(ChunkCache(SystemClock(), "test", client), [broker]) for _ in range(2))
    first = await one.get_bars("SPY", M1, NOW - DAY, NOW - 60 * MINUTE, NOW)
    second = await two.get_bars("SPY", M1, NOW - DAY, NOW - 60 * MINUTE, NOW)
    assert (second.bars, list(sources_of(second)), len(broker.asked)) == (first.bars, ["cache"], 1)
    await client.aclose()


async def test_a_redis_that_is_not_there_is_passed_over() -> None:
    client = redis.asyncio.Redis(host="127.0.0.1", port=free_port())
    broker = Counted("broker", minutes(NOW - DAY, NOW))
    history = BarHistory(ChunkCache(SystemClock(), "test", client), [broker])
    assert len((await history.get_bars("SPY", M1, NOW - 90 * MINUTE, NOW - 60 * MINUTE, NOW)).bars) == 30
    await client.aclose()


async def test_a_bar_of_a_day_is_not_kept_before_the_day_is_over() -> None:
    start = NOW // DAY * DAY + 4 * 3_600 * NANOSECONDS  # New York's midnight
    days = [Bar("SPY", Timeframe.DAY_1, start - n * DAY, 1, 1, 1, 1, 1) for n in range(5)]
    broker = Counted("broker", days)
    history = BarHistory(ChunkCache(SystemClock(), "test"), [broker])
    now = start + 10 * 3_600 * NANOSECONDS
    found = await history.get_bars("SPY", Timeframe.DAY_1, start - 3 * DAY, now, now)
    assert [b.timestamp for b in found.bars] == [start - n * DAY for n in (3, 2, 1)]
    later = await history.get_bars("SPY", Timeframe.DAY_1, start - 3 * DAY, start + DAY, start + DAY)
    assert [b.timestamp for b in later.bars] == [start - n * DAY for n in (3, 2, 1, 0)]


wishes = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 800), st.integers(0, 600)), min_size=1, max_size=8)


@given(wishes, st.sets(st.integers(0, 6_000), max_size=60), st.sets(st.integers(0, 6_000), max_size=60))
def test_whatever_is_asked_in_whatever_order_the_answer_is_what_the_venue_has(
    asked: list[tuple[int, int, int]], traded: set[int], recorded: set[int]
) -> None:
    begin = NOW - 6_000 * MINUTE
    truth = [bar(begin + minute * MINUTE) for minute in sorted(traded)]
    known = [b for b in truth if (b.timestamp - begin) // MINUTE in recorded]

    async def run() -> None:
        history = BarHistory(
            ChunkCache(SystemClock(), "test"), [DatabaseSource(Table(known)), Counted("broker", truth)]
        )
        now = begin
        for start, length, passed in asked:
            now = min(max(now, begin + (start + length) * MINUTE) + passed * MINUTE, NOW)
            span = Span(begin + start * MINUTE, begin + (start + length) * MINUTE)
            found = await history.get_bars("SPY", M1, span.start, span.end, now)
            assert found.bars == [b for b in truth if span.start <= b.timestamp < min(span.end, now - MINUTE + 1)]
            assert found.missing == []

    asyncio.run(run())
