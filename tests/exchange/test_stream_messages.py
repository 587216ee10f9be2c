"""Every kind of data-stream message, to alpaca-py and by hand; what a client may ask for, and what a slow one gets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from alpaca.data.live import CryptoDataStream, StockDataStream

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.prices.events import TapeEvent
from engine.exchange.server import ExchangeOptions, ExchangeServer, codec, outbox
from engine.exchange.server.fan_out import FanOut, messages_of
from engine.exchange.server.floor import Counters
from engine.exchange.server.outbox import Outbox
from engine.exchange.server.subscribers import STOCKS, Client, change
from tests.exchange.stream_clients import address, collector, data_socket, receive, running, send
from tests.waiting import until

SYMBOLS = ("SPY", "AAPL", "BTC/USD")


@pytest.fixture
async def lively() -> AsyncIterator[ExchangeServer]:
    """A market in which everything happens often, a minute a second."""
    options = ExchangeOptions(symbols=SYMBOLS, speed=60.0, revisions_per_hour=400.0, recent_minutes=1)
    async with ExchangeServer(options) as server:
        yield server


async def test_alpaca_py_receives_every_kind_of_stock_message(lively: ExchangeServer) -> None:
    names = ("trades", "quotes", "bars", "updated", "daily", "statuses", "corrections", "cancels")
    found: dict[str, list[Any]] = {name: [] for name in names}
    stream = StockDataStream("key", "secret", url_override=address(lively, "/v2/sip"))
    stream.subscribe_trades(collector(found["trades"]), "SPY")
    stream.subscribe_quotes(collector(found["quotes"]), "SPY")
    stream.subscribe_bars(collector(found["bars"]), "SPY")
    stream.subscribe_updated_bars(collector(found["updated"]), "*")
    stream.subscribe_daily_bars(collector(found["daily"]), "SPY")
    stream.subscribe_trading_statuses(collector(found["statuses"]), "SPY")
    stream.register_trade_corrections(collector(found["corrections"]))
    stream.register_trade_cancels(collector(found["cancels"]))
    async with running(stream):
        await until(lambda: found["trades"])
        lively.venue.halt("SPY", 20)
        await until(lambda: all(found.values()) and len(found["statuses"]) == 2)
    assert [status.status_code for status in found["statuses"]] == ["H", "T"]
    assert found["statuses"][0].reason_message == "Halt - News Pending"
    correction = found["corrections"][0]
    assert correction.corrected_price < correction.original_price
    assert correction.original_id == correction.corrected_id
    assert found["cancels"][0].price > 0
    updated = found["updated"][0]
    assert updated.low <= updated.open <= updated.high


async def test_an_updated_bar_is_the_bar_that_rest_serves_from_then_on(lively: ExchangeServer) -> None:
    headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    async with data_socket(lively) as socket, aiohttp.ClientSession(lively.url, headers=headers) as session:
        await send(socket, {"action": "subscribe", "updatedBars": ["SPY"]})
        await receive(socket)
        newest: dict[str, Any] = {}
        for message in await receive(socket):
            newest[message["t"]] = message
        start = min(newest)
        async with session.get(f"/v2/stocks/SPY/bars?timeframe=1Min&start={start}&end={max(newest)}") as answer:
            served = {bar["t"]: bar for bar in (await answer.json())["bars"]}
    # One may have changed again since it was told.
    alike = [at for at, told in newest.items() if served[at] == {k: v for k, v in told.items() if k not in ("T", "S")}]
    assert alike


async def test_alpaca_py_receives_order_books_and_the_rest_of_crypto(lively: ExchangeServer) -> None:
    books: list[Any] = []
    bars: list[Any] = []
    trades: list[Any] = []
    stream = CryptoDataStream("key", "secret", url_override=address(lively, "/v1beta3/crypto/us"))
    stream.subscribe_orderbooks(collector(books), "BTC/USD")
    stream.subscribe_bars(collector(bars), "*")
    stream.subscribe_trades(collector(trades), "*")
    async with running(stream):
        await until(lambda: books and bars and trades)
    assert books[0].reset
    assert books[0].bids[0].price < books[0].asks[0].price


async def test_a_halt_is_told_with_its_bands_before_it_to_a_plain_client(lively: ExchangeServer) -> None:
    async with data_socket(lively) as socket:
        await send(socket, {"action": "subscribe", "statuses": ["*"], "lulds": ["SPY", "AAPL"]})
        await receive(socket)
        lively.venue.halt("AAPL", 1_000)
        seen: dict[str, Any] = {}
        async with asyncio.timeout(20):
            while set(seen) != {"s", "l"}:
                for message in await receive(socket):
                    assert next(iter(message)) == "T"
                    seen.setdefault(message["T"], message)
                    # The bands are told when they move by a percent: push the reference away.
                source: Any = lively.venue.source
                source._bands._announced[:] = 0.0
    assert {"S", "sc", "sm", "rc", "rm", "z", "t"} <= set(seen["s"])
    assert (seen["s"]["S"], seen["s"]["sc"]) == ("AAPL", "H")
    assert seen["l"]["d"] < seen["l"]["u"]


@pytest.mark.parametrize(
    ("path", "channel"),
    [("/v2/iex", "orderbooks"), ("/v1beta3/crypto/us", "lulds"), ("/v1beta3/crypto/us", "statuses")],
)
async def test_a_channel_of_another_feed_is_refused(exchange: ExchangeServer, path: str, channel: str) -> None:
    async with data_socket(exchange, path) as socket:
        await send(socket, {"action": "subscribe", channel: ["*"]})
        assert (await receive(socket)) == [{"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"}]


async def test_corrections_and_cancellations_come_with_the_trades(exchange: ExchangeServer) -> None:
    async with data_socket(exchange) as socket:
        await send(socket, {"action": "subscribe", "trades": ["SPY"]})
        (answer,) = await receive(socket)
    assert answer["corrections"] == answer["cancelErrors"] == ["SPY"]


async def test_without_sip_its_stream_is_refused_and_iex_is_not() -> None:
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), sip=False)) as exchange:
        async with data_socket(exchange, "/v2/iex"):
            pass
        async with data_socket(exchange, "/v2/sip", authenticate=False) as socket:
            await send(socket, {"action": "auth", "key": "key", "secret": "secret"})
            assert await receive(socket) == [{"T": "error", "code": 409, "msg": "insufficient subscription"}]
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_alpaca_py_ends_when_its_subscription_does_not_suffice() -> None:
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), sip=False)) as exchange:
        stream = StockDataStream("key", "secret", url_override=address(exchange, "/v2/sip"))
        stream.subscribe_trades(collector([]), "SPY")
        await asyncio.wait_for(stream._run_forever(), 10)
        await stream.close()


class Sink:
    """A socket that takes nothing until it is told to, and counts."""

    def __init__(self) -> None:
        self.frames: list[bytes | str] = []
        self.open = asyncio.Event()

    async def send_str(self, frame: str) -> None:
        await self.open.wait()
        self.frames.append(frame)

    send_bytes = send_str

    async def close(self, **options: object) -> None:
        self.open.set()


def batch(second: int, trades: int = 0) -> list[TapeEvent]:
    events: list[TapeEvent] = [
        Quote(symbol, 100.0, 1.0, 100.0 + second, 1.0, second * NANOSECONDS) for symbol in ("SPY", "AAPL")
    ]
    return events + [Trade("SPY", 100.0, 1.0, second * NANOSECONDS, "V", ("@",), n) for n in range(trades)]


async def test_a_client_that_falls_behind_gets_the_newest_quotes_and_every_trade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 4_000)
    sink: Any = Sink()
    client = Client(Outbox(sink, None), STOCKS, "/v2/iex", packed=False)
    change(client, {"quotes": ["*"], "trades": ["SPY"]}, True, 0)
    counters = Counters()
    for second in range(1, 30):
        assert FanOut(messages_of(batch(second, trades=int(second % 10 == 0)), []), counters).send(client)
    sink.open.set()
    await until(lambda: not client.outbox.is_behind)
    assert FanOut(messages_of(batch(30, trades=1), []), counters).send(client)
    await until(lambda: len(sink.frames) >= 2 and '"ap":130.0' in sink.frames[-1])
    messages = [message for frame in sink.frames for message in json.loads(frame)]
    quotes = [message["ap"] for message in messages if message["T"] == "q" and message["S"] == "SPY"]
    assert quotes == sorted(quotes)
    assert quotes[-2:] == [129.0, 130.0]
    assert len(quotes) + counters.conflated / 2 == 30
    assert counters.conflated > 10
    assert sum(message["T"] == "t" for message in messages) == 3
    assert counters.messages == len(messages)
    await client.outbox.close()


async def test_equal_clients_share_frames_and_no_frame_exceeds_a_mebibyte() -> None:
    events = batch(1, trades=20_000)
    frames = codec.frames([message[2](False) for message in messages_of(events, [])], packed=False)
    assert max(len(frame) for frame in frames) < 1024 * 1024
    assert sum(len(json.loads(frame)) for frame in frames) == len(events)
    assert min(len(json.loads(frame)) for frame in frames) >= 20


def test_a_quote_of_crypto_is_an_order_book_too() -> None:
    quote = Quote("BTC/USD", 10.0, 1.0, 11.0, 2.0, NANOSECONDS)
    assert [message[0] for message in messages_of([quote], [])] == ["quotes", "orderbooks"]
