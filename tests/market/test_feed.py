"""The feed on the real local exchange: prices, history, and what happens when the exchange misbehaves."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise

import pytest

from engine.broker.address import VenueAddress
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.exchange.server import ExchangeServer
from engine.market.hours import RoundTheClock
from engine.market.packed import decoder
from engine.market.packed.reader import Reader
from engine.market.recorded import build_candles
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.polling import RestPolling
from engine.streams.messages import Gaps, HistoryReply, HistoryRequest, StreamHealth
from tests.market.conftest import Running, exchange, fault, running
from tests.waiting import until, until_async


@pytest.fixture(params=[False, True], ids=["message by message", "in columns"])
def in_columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of reading the stream, the compiled one for small bursts, too."""
    monkeypatch.setattr(decoder, "LEAST", 0)
    monkeypatch.setattr(
        decoder, "_make_reader", partial(Reader, least_of_each=0, longest=1 << 63) if request.param else None
    )


async def history(found: Running, symbol: str, timeframe: Timeframe, limit: int) -> HistoryReply:
    await found.feed.answer(
        HistoryRequest(requester="me", request_id="1", symbol=symbol, timeframe=timeframe, limit=limit)
    )
    topic, reply = found.said[-1]
    assert topic == "history.reply.me"
    assert isinstance(reply, HistoryReply)
    return reply


async def venue_minutes(found: Running, symbol: str = "SPY") -> dict[int, Bar]:
    now, _ = await found.feed._rest.market_time()
    bars = await found.feed._rest.newest_bars(symbol, Timeframe.MINUTE_1, now - 3_600 * NANOSECONDS, 60, now)
    return {bar.timestamp: bar for bar in bars if bar.closed}


@pytest.mark.usefixtures("in_columns")
async def test_quotes_of_stocks_and_crypto_carry_prices_and_the_day() -> None:
    async with exchange(speed=10) as server, running(server.url, "SPY", "BTC/USD") as found:
        await until(lambda: all(found.quotes().get(s) and found.quotes()[s].bid > 0 for s in ("SPY", "BTC/USD")))
        quotes = await until(lambda: (q := found.quotes()) and all(x.previous_close > 0 for x in q.values()) and q)
        assert all(quote.last > 0 and quote.bid <= quote.ask and quote.day_volume > 0 for quote in quotes.values())
        status = found.status()
        assert (status.connected, status.symbols, status.error) == (True, ["BTC/USD", "SPY"], "")
        assert 0 <= status.age < 10


@pytest.mark.usefixtures("in_columns")
async def test_live_candles_equal_the_venues_own() -> None:
    async with exchange(speed=120) as server, running(server.url, "SPY") as found:
        await until(lambda: len({bar.timestamp for bar in found.closed(Timeframe.MINUTE_1)}) >= 8)
        official = await venue_minutes(found)
        ours = {bar.timestamp: bar for bar in found.closed(Timeframe.MINUTE_1)}
        compared = sorted(set(ours) & set(official))[:-1]
        assert len(compared) >= 5
        for start in compared:
            assert ours[start].close == pytest.approx(official[start].close)
            assert ours[start].volume == pytest.approx(official[start].volume)
        fives = [bar.timestamp for bar in found.closed(Timeframe.MINUTE_5)]
        assert fives


async def test_history_joins_the_live_candles_without_gap_or_double() -> None:
    async with exchange(speed=20) as server, running(server.url, "SPY") as found:
        await until(lambda: len(found.closed(Timeframe.SECOND_1)) > 20)
        for timeframe in (Timeframe.MINUTE_1, Timeframe.MINUTE_5, Timeframe.HOUR_1, Timeframe.DAY_1):
            reply = await history(found, "SPY", timeframe, 50)
            assert (reply.error, len(reply.bars) > 5) == ("", True), timeframe
            starts = [bar.timestamp for bar in reply.bars]
            assert starts == sorted(set(starts))
            assert all(bar.closed for bar in reply.bars[:-1])
            assert not reply.bars[-1].closed or timeframe is Timeframe.MINUTE_1
        minutes = (await history(found, "SPY", Timeframe.MINUTE_1, 50)).bars
        assert all(later.timestamp - sooner.timestamp == 60 * NANOSECONDS for sooner, later in pairwise(minutes))


async def test_seconds_are_warm_at_once_from_the_recent_trades() -> None:
    async with exchange() as server, running(server.url, "SPY") as found:
        reply = await history(found, "SPY", Timeframe.SECOND_1, 500)
        assert len(reply.bars) > 30
        assert sum(not bar.closed for bar in reply.bars) <= 1


async def test_history_that_is_asked_for_before_the_feed_has_heard_anything_is_the_venues() -> None:
    async with exchange() as server:
        found = Running(VenueAddress.local(server.url, "key", "secret"))
        reply = await history(found, "SPY", Timeframe.MINUTE_1, 20)
        assert (reply.error, len(reply.bars)) == ("", 20)
        await found.feed.close()
    late = Running(VenueAddress.local(server.url, "key", "secret"))
    assert "cannot be read" in (await history(late, "SPY", Timeframe.MINUTE_1, 20)).error
    await late.feed.close()


async def test_a_symbol_nobody_knows_is_told_and_hurts_no_other() -> None:
    async with exchange(speed=10) as server, running(server.url, "SPY", "NOSUCH") as found:
        await until(lambda: found.quotes().get("SPY"))
        assert found.status().unknown_symbols == ["NOSUCH"]
        assert (await history(found, "NOSUCH", Timeframe.MINUTE_1, 5)).bars == []
        assert (await history(found, "SPY", Timeframe.MINUTE_1, 5)).bars


async def test_symbols_come_and_go_while_it_runs() -> None:
    async with exchange(speed=10) as server, running(server.url, "SPY") as found:
        await until(lambda: found.closed(Timeframe.SECOND_1))
        await found.feed.watch({"AAPL": 0, "BTC/USD": 0})
        assert len((await history(found, "AAPL", Timeframe.SECOND_1, 500)).bars) > 10
        await until(lambda: found.closed(Timeframe.SECOND_1, "BTC/USD"))
        assert found.quotes()["AAPL"].previous_close > 0
        await found.feed.unwatch(["SPY"])
        assert found.status().symbols == ["AAPL", "BTC/USD"]
        found.said.clear()
        await until(lambda: found.closed(Timeframe.SECOND_1, "AAPL"))
        assert found.closed(Timeframe.SECOND_1, "SPY") == []


@pytest.mark.usefixtures("in_columns")
async def test_dropped_streams_come_back_and_miss_nothing_and_each_gap_is_told() -> None:
    async with exchange(speed=60) as server, running(server.url, "SPY") as found:
        await until(lambda: found.closed(Timeframe.MINUTE_1))
        for drops in (1, 2):
            await fault(server.url, kind="drop_streams", stream="data")
            await came_back(found, drops)
        gaps = [gap for _, message in found.said if isinstance(message, Gaps) for gap in message.gaps]
        assert gaps and {(gap.symbol, gap.source, gap.whole) for gap in gaps} == {("SPY", "REST", True)}
        assert all(gap.start < gap.end and gap.trades > 0 for gap in gaps)
        assert_whole(await venue_minutes(found), found.feed._candles["SPY"].minutes.bars)


async def test_a_feed_that_starts_again_gives_out_what_closed_since_the_last_word_of_the_one_before() -> None:
    """Minutes of which nobody was told would be missing from bots and storage, although the venue had them."""
    async with exchange(speed=60) as server:
        async with running(server.url, "SPY") as before:
            await until(lambda: before.closed(Timeframe.MINUTE_1))
        told = {bar.timestamp for bar in before.closed(Timeframe.SECOND_1)}
        said_until = max(told) + NANOSECONDS
        minutes = {bar.timestamp for bar in before.closed(Timeframe.MINUTE_1)}
        async with running(server.url) as after:
            await until_async(lambda: is_past(after, said_until + 150 * NANOSECONDS))
            await after.feed.watch({"SPY": said_until})
            await until(lambda: len(after.closed(Timeframe.MINUTE_1)) > 3)
            trades = await after.feed._rest.newest_trades("SPY", min(told), 10_000)
            venues = await venue_minutes(after)
            after.flush()
            gaps = [gap for _, message in after.said if isinstance(message, Gaps) for gap in message.gaps]
    again = {bar.timestamp for bar in after.closed(Timeframe.SECOND_1)}
    printed = {start for _, start in build_candles(trades, Timeframe.SECOND_1, RoundTheClock())}
    assert len(told & again) == 0, "each once"
    assert {start for start in printed if start < max(again)} <= told | again
    again_minutes = {bar.timestamp for bar in after.closed(Timeframe.MINUTE_1)}
    assert all(start + 60 * NANOSECONDS > said_until for start in minutes & again_minutes), "its last second was silent"
    assert {start for start in venues if min(minutes) <= start <= max(again_minutes)} <= minutes | again_minutes
    assert [(gap.symbol, gap.start, gap.whole, gap.minutes >= 2, gap.trades > 0) for gap in gaps] == [
        ("SPY", said_until, True, True, True)
    ]


async def test_trades_missed_while_rest_failed_are_read_by_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.market.line.CATCH_UP_PAUSE", 0.01)
    monkeypatch.setattr("engine.market.rest.PAUSE", 0.01)
    async with exchange(speed=60) as server, running(server.url, "SPY") as found:
        await until(lambda: found.closed(Timeframe.MINUTE_1))
        await fault(server.url, kind="http_status", status=503, count=9, path="/v2/stocks")
        await fault(server.url, kind="drop_streams", stream="data")
        await until(lambda: found.status().reconnects and not found.feed._missed._read_from)
        count = len(found.closed(Timeframe.MINUTE_1))
        await until(lambda: len(found.closed(Timeframe.MINUTE_1)) > count + 1)
        assert_whole(await venue_minutes(found), found.feed._candles["SPY"].minutes.bars)


async def test_a_mute_stream_is_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.market.sources.watchdog.SILENCE", 0.3)
    async with exchange(speed=20) as server, running(server.url, "SPY") as found:
        await until(lambda: found.status().messages)
        await fault(server.url, kind="mute_streams", stream="data")
        await until(lambda: not found.status().connected and "silent" in found.status().error)
        await fault(server.url, kind="clear")
        messages = found.status().messages
        await until(lambda: found.status().connected and found.status().messages > messages)


async def test_an_exchange_that_is_gone_is_told_and_found_again_when_it_is_back() -> None:
    first = exchange(speed=20, seed=1)
    async with first as server:
        port = int(server.url.rpartition(":")[2])
        found = Running(address(server))
        await found.feed.watch({"SPY": 0})
        await until(lambda: found.closed(Timeframe.SECOND_1))
    await until(lambda: not found.status().connected and found.status().error)
    asked = await asyncio.wait_for(history(found, "SPY", Timeframe.MINUTE_1, 5), 10)
    assert asked.error
    async with exchange(speed=20, seed=2, port=port):
        found.said.clear()
        await until(lambda: found.status().connected and len(found.closed(Timeframe.SECOND_1)) > 5)
        assert found.status().error == ""
        await found.feed.close()


async def test_rest_stands_in_for_a_stream_that_stays_away_and_is_let_go_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("line.FAILOVER_AFTER", 0.2), ("line.RETURN_AFTER", 0.1), ("sources.polling.PAUSE", 0.02)):
        monkeypatch.setattr(f"engine.market.{name}", seconds)
    async with exchange(speed=20) as server, running(server.url) as found:
        feed, venue = found.feed, address(server)
        stream = AlpacaStream("stream", "ws://127.0.0.1:1/v2/iex", "key", "secret", seed=1)
        polling = RestPolling("REST", feed._rest, feed.market_now)
        feed._make_sources = lambda crypto: [stream, polling]
        await feed.watch({"SPY": 0})
        await until(lambda: found.status().fallback == "REST" and found.status().connected)
        await until(lambda: len(found.closed(Timeframe.SECOND_1)) > 20)
        stream._url = venue.stock_stream_url
        await until(lambda: not found.status().fallback and found.status().connected)
        told = [message.words for _, message in found.said if isinstance(message, StreamHealth)]
        assert "REST stands in for the stream" in told
        assert "stream works again; REST is let go" in told
        count = len(found.closed(Timeframe.SECOND_1))
        await until(lambda: len(found.closed(Timeframe.SECOND_1)) > count + 5)


async def is_past(found: Running, time: int) -> bool:
    return (await found.feed._rest.market_time())[0] > time


async def came_back(found: Running, reconnects: int) -> None:
    """Connected again, and two more minutes have closed."""
    await until(lambda: found.status().reconnects >= reconnects and found.status().connected)
    count = len(found.closed(Timeframe.MINUTE_1))
    await until(lambda: len(found.closed(Timeframe.MINUTE_1)) > count + 1)


def address(server: ExchangeServer) -> VenueAddress:
    return VenueAddress.local(server.url, "key", "secret")


def assert_whole(official: dict[int, Bar], ours: dict[int, Bar]) -> None:
    """All that the venue has closed since we began are there, with its prices and volume, each once."""
    begin = min(ours)
    shared = [start for start in sorted(official) if start >= begin][:-1]
    assert len(shared) > 3
    assert [start for start in shared if start not in ours] == []
    assert [ours[s].volume for s in shared] == pytest.approx([official[s].volume for s in shared])
