"""The stores of a process's history, real ones: what the recorder wrote, the lake, a shared Redis and the broker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.clock import SystemClock
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.domain.spans import Span
from engine.market.history.stores import HistoryStores, open_history
from engine.storage.lake.address import LakeAddress, open_lake
from engine.storage.lake.parts import Row
from engine.storage.market.address import MarketAddress
from engine.storage.market.backlog import Backlog
from engine.storage.market.store import open_store
from engine.streams.address import RedisAddress
from engine.streams.base import Delivery
from engine.streams.messages import Candles
from tests.market.conftest import exchange
from tests.market.test_ranges import DAY, M1, MINUTE, minutes, sources_of, venue
from tests.services import Redis


async def record(address: MarketAddress, bars: Sequence[Bar], now: int) -> None:
    store, backlog = open_store(address), Backlog("test")
    await store.open()
    backlog.take([Delivery("candles.1m", "feed", now, Candles(M1, list(bars)))], now)
    await store.write(backlog.cut(now))
    await store.close()


async def test_each_store_is_asked_for_what_the_quicker_ones_have_not(tmp_path: Path, redis_server: Redis) -> None:
    clock = SystemClock()
    async with exchange(symbols=("SPY",)) as server, venue(server.url) as rest:
        now, _ = await rest.market_time()
        today = now // DAY * DAY
        start, end = today - 3 * DAY, today - DAY
        lake, database = LakeAddress(url=str(tmp_path / "lake")), MarketAddress(path=str(tmp_path / "market.db"))
        first_hour = minutes(start, start + 60 * MINUTE)
        await record(database, first_hour, now)
        kept = minutes(start + 60 * MINUTE, start + 300 * MINUTE)
        rows = [Row(bar, "broker") for bar in kept]
        open_lake(lake, "iex").write("SPY", M1, rows, [Span(kept[0].timestamp, kept[-1].timestamp + MINUTE)])
        stores = HistoryStores(
            scope="test", lake=lake, database=database, redis=RedisAddress(host="127.0.0.1", port=redis_server.port)
        )
        async with open_history(clock, rest, "iex", stores) as history:
            found = await history.get_bars("SPY", M1, start, end, now)
            assert sources_of(found) == {
                "database": [Span(start, start + 60 * MINUTE)],
                "lake": [Span(start + 60 * MINUTE, start + 300 * MINUTE)],
                "broker": [Span(start + 300 * MINUTE, end)],
            }
            assert found.bars[:300] == first_hour + kept
            again = await history.get_bars("SPY", M1, start, end, now)
            assert sources_of(again) == {"memory": [Span(start, end)]}
        async with open_history(clock, rest, "iex", stores) as history:
            assert list(sources_of(await history.get_bars("SPY", M1, start, end, now))) == ["cache"]
            memory, shared = history.figures
            assert (memory.hits, shared.hits, shared.hit_rate) == (0, 2, 1.0)
        redis_server.kill()
        async with open_history(clock, rest, "iex", stores) as history:
            found = await history.get_bars("SPY", M1, start, end, now)
            assert set(sources_of(found)) == {"database", "lake"}
            assert found.missing == []


async def test_without_stores_there_are_memory_and_the_broker() -> None:
    async with exchange(symbols=("SPY",)) as server, venue(server.url) as rest:
        now, _ = await rest.market_time()
        async with open_history(SystemClock(), rest, "iex", HistoryStores()) as history:
            found = await history.get_bars("SPY", Timeframe.HOUR_1, now - 20 * 3_600 * NANOSECONDS, now, now)
            assert list(sources_of(found)) == ["broker"]
