"""Every source through the same line: batches, symbols that come and go, a peer that is killed, garbage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from engine.domain.market import NANOSECONDS, Trade
from engine.market.batch import Batch
from engine.market.hours import RoundTheClock
from engine.market.line import Line
from engine.market.normaliser.rejections import Reason
from engine.market.processor import Processor
from engine.market.sources.base import Source, SourceState
from tests.market.conftest import exchange
from tests.market.tellers import (
    GARBAGE,
    SYMBOLS,
    ExchangeTeller,
    KafkaTeller,
    RecordingTeller,
    RedisTeller,
    Teller,
)
from tests.services import Kafka, Redis
from tests.waiting import until

PUBLISHED = ("redis", "kafka")
LIVE = ("alpaca", "rest", *PUBLISHED)
ALL = (*LIVE, "parquet")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.market.sources.pauses.FIRST_PAUSE", 0.05)
    monkeypatch.setattr("engine.market.sources.polling.PAUSE", 0.02)
    monkeypatch.setattr("engine.market.line.CATCH_UP_PAUSE", 0.05)


@pytest.fixture
async def teller(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Teller]:
    kind = request.param
    async with AsyncExitStack() as opened:
        if kind == "redis":
            yield RedisTeller(request.getfixturevalue("redis_server"))
        elif kind == "kafka":
            yield KafkaTeller(request.getfixturevalue("kafka_cluster"))
        elif kind == "parquet":
            yield RecordingTeller(tmp_path / "trades")
        else:
            server = await opened.enter_async_context(exchange(speed=20, symbols=SYMBOLS, recent_minutes=1))
            found = ExchangeTeller(server, by_rest=kind == "rest")
            opened.push_async_callback(found.rest.close)
            yield found


class Listener(Processor):
    """A line from one teller, and what came over it."""

    def __init__(self, teller: Teller, *symbols: str, others: Iterable[Source] = ()) -> None:
        super().__init__(lambda bars: None)
        self.heard: Counter[str] = Counter()
        self.caught_up = 0
        self.ended: list[BaseException] = []
        self._teller = teller
        for symbol in symbols:
            self.watch(symbol, RoundTheClock())
        self.line = Line([teller.source, *others], symbols, self, self._catch_up, self.ended.append)

    def take(self, batch: Batch) -> None:
        self.heard.update(trade.symbol for trade in batch.trades)
        super().take(batch)

    def check(self, batch: Batch) -> Batch:
        self.heard.update(trade.symbol for trade in batch.trades)
        return super().check(batch)

    async def _catch_up(self) -> None:
        await self.read([symbol for symbol in SYMBOLS if symbol in self.candles])
        self.caught_up += 1

    async def read(self, symbols: list[str]) -> None:
        """What the venue's REST would tell."""
        tape = await self._teller.tape()
        for symbol in symbols:
            self.candles[symbol].add(self.normaliser.trades([trade for trade in tape if trade.symbol == symbol]))

    def volumes(self, symbol: str, end: int) -> dict[int, float]:
        bars = self.candles[symbol].seconds.bars
        return {start: bar.volume for start, bar in bars.items() if start < end}


@asynccontextmanager
async def listening(teller: Teller, *symbols: str, others: Iterable[Source] = ()) -> AsyncIterator[Listener]:
    listener = Listener(teller, *symbols, others=others)
    try:
        if not isinstance(teller, RecordingTeller):
            await until(lambda: listener.line.caught_up)
        yield listener
    finally:
        await listener.line.close()


async def assert_whole(listener: Listener, teller: Teller, symbols: Iterable[str] = SYMBOLS) -> None:
    """Each print that is on the tape counts once in the candles."""
    tape = await teller.tape()
    for symbol in symbols:
        own = [trade for trade in tape if trade.symbol == symbol]
        last = max(trade.timestamp for trade in own)
        await until(lambda symbol=symbol, last=last: listener.normaliser.time_of(symbol) >= last)
        end = last - last % NANOSECONDS
        await until(lambda own=own, end=end, symbol=symbol: listener.volumes(symbol, end) == summed(own, end))


def summed(trades: Iterable[Trade], end: int) -> dict[int, float]:
    found: Counter[int] = Counter()
    for trade in trades:
        found[trade.timestamp - trade.timestamp % NANOSECONDS] += trade.size
    return {start: volume for start, volume in found.items() if start < end}


@pytest.mark.parametrize("teller", ALL, indirect=True)
async def test_what_is_printed_arrives_in_batches_each_print_once(teller: Teller) -> None:
    async with listening(teller, *SYMBOLS) as found:
        for _ in range(2):
            await teller.more()
        await until(lambda: all(found.heard[symbol] for symbol in SYMBOLS))
        await assert_whole(found, teller)
        assert found.line.error in {"", "the recording has ended"}, "a recording may be over by now"


@pytest.mark.parametrize("teller", LIVE, indirect=True)
async def test_symbols_are_added_and_removed_while_it_runs(teller: Teller) -> None:
    async with listening(teller, "SPY") as found:
        await teller.more()
        await until(lambda: found.heard["SPY"])
        assert not found.heard["AAPL"]
        found.watch("AAPL", RoundTheClock())
        with found.line.hold():
            await found.line.subscribe(["AAPL"])
            await found.read(["AAPL"])
        await teller.more()
        await until(lambda: found.heard["AAPL"])
        await found.line.unsubscribe(["SPY"])
        await teller.more()
        found.heard.clear()
        await teller.more()
        await until(lambda: found.heard["AAPL"])
        assert not found.heard["SPY"]
        await assert_whole(found, teller, ["AAPL"])


@pytest.mark.parametrize("teller", LIVE, indirect=True)
async def test_a_peer_that_is_killed_and_comes_back_costs_no_print_and_doubles_none(teller: Teller) -> None:
    async with listening(teller, *SYMBOLS) as found:
        await teller.more()
        await teller.kill()
        await until(lambda: found.line.error or found.line.reconnects)
        if teller.source.name in PUBLISHED:
            await teller.more()
        await teller.back()
        await until(lambda: found.line.caught_up and not found.line.error)
        await teller.more()
        await assert_whole(found, teller)
        assert found.ended == []


@pytest.mark.parametrize("teller", (*PUBLISHED, "parquet"), indirect=True)
async def test_garbage_is_counted_and_costs_nothing_else(teller: Teller) -> None:
    async with listening(teller, *SYMBOLS) as found:
        await teller.garbage()
        await teller.more()
        await assert_whole(found, teller)
        counts = found.normaliser.rejections.counts
        expected = (Reason.ABSURD, 4) if isinstance(teller, RecordingTeller) else (Reason.UNREADABLE, len(GARBAGE))
        await until(lambda: counts[expected[0]] == expected[1])
        assert (found.line.reconnects, found.ended) == (0, [])


async def test_entries_that_a_redis_trimmed_before_they_were_read_are_a_gap_that_is_filled(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.asyncio import Redis as Client

    monkeypatch.setattr("engine.market.sources.pauses.FIRST_PAUSE", 0.5)
    teller = RedisTeller(redis_server)
    async with listening(teller, *SYMBOLS) as found, Client(port=redis_server.port) as client:
        await teller.more()
        await assert_whole(found, teller)
        teller.source.reconnect("for this test")
        await until(lambda: found.line.reconnects)
        await teller.more()
        await client.xtrim("tape", maxlen=1, approximate=False)
        await until(lambda: teller.source.gaps)
        await assert_whole(found, teller)


async def test_a_redis_stream_that_begins_anew_is_read_from_its_beginning(redis_server: Redis) -> None:
    from redis.asyncio import Redis as Client

    teller = RedisTeller(redis_server)
    async with listening(teller, *SYMBOLS) as found, Client(port=redis_server.port) as client:
        await teller.more()
        await client.delete("tape")
        await client.xadd("tape", {"data": b"[]"}, id="1-1")
        await until(lambda: teller.source.gaps)
        await teller.more()
        await assert_whole(found, teller)


class StandIn:
    """A source that works and has nothing to say."""

    name = "stand-in"
    error = ""
    reconnects = conflated = 0
    has_quotes = False
    refused = frozenset[str]()
    shed: ClassVar[dict[str, int]] = {}

    def __init__(self) -> None:
        self.state = SourceState.DISCONNECTED
        self.symbols: set[str] = set()

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)

    def reconnect(self, reason: str) -> None:
        return

    async def __aiter__(self) -> AsyncIterator[Batch]:
        self.state = SourceState.SUBSCRIBED
        yield Batch(fresh=True)
        await asyncio.Event().wait()


async def test_when_nobody_publishes_to_a_healthy_redis_the_next_source_stands_in(
    redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("line.FAILOVER_AFTER", 0.1), ("line.RETURN_AFTER", 0.05), ("sources.watchdog.SILENCE", 0.2)):
        monkeypatch.setattr(f"engine.market.{name}", seconds)
    teller = RedisTeller(redis_server)
    async with listening(teller, *SYMBOLS, others=[StandIn()]) as found:
        quote = b'{"T":"q","S":"SPY","t":"2023-11-14T22:13:21Z","bp":100,"bs":1,"ap":101,"as":1}'
        await teller.publish([quote])
        await teller.more()
        await until(lambda: found.normaliser.quote("SPY"))
        words: list[str] = []

        def said(text: str) -> bool:
            words.extend(change[3] for change in found.line.look(True, 0))
            return any(text in word for word in words)

        await until(lambda: said("stand-in stands in for the redis"))
        assert "silent" in found.line.error
        state = next(state for state in found.board.drain() if state.symbol == "SPY")
        assert (state.bid, state.ask, state.last > 0) == (0.0, 0.0, True)
        await teller.more()
        await until(lambda: said("redis works again"))
        await assert_whole(found, teller)
        assert found.caught_up >= 2


async def test_a_wrong_password_is_said_with_a_remedy_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "redis").mkdir()
    server = Redis(tmp_path / "redis", password="right")
    server.start()
    try:
        teller = RedisTeller(server)
        line = Listener(teller, "SPY").line
        await until(lambda: "refuses the user or the password" in line.error and line.reconnects > 1)
        await line.close()
        assert next(record.remedy for record in caplog.records if "refuses" in record.message)  # type: ignore[attr-defined]
    finally:
        server.kill()


async def test_a_kafka_that_is_away_is_said(kafka_cluster: Kafka) -> None:
    teller = KafkaTeller(kafka_cluster)
    async with listening(teller, "SPY") as found:
        await teller.kill()
        await until(lambda: "Kafka at 127.0.0.1" in found.line.error)
        assert not found.line.connected
