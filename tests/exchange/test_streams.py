"""alpaca-py's streams against the exchange, and the protocol's finer points by hand."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream

from engine.exchange.server import ExchangeOptions, ExchangeServer, data_stream, outbox
from tests.exchange.conftest import WAIT, call
from tests.exchange.stream_clients import Socket, address, collector, data_socket, receive, running, send
from tests.waiting import until


def order(**fields: Any) -> MarketOrderRequest:
    return MarketOrderRequest(symbol="SPY", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, **fields)


async def test_trade_updates_tell_the_life_of_an_order(exchange: ExchangeServer, trading: TradingClient) -> None:
    updates: list[Any] = []
    stream = TradingStream("key", "secret", url_override=address(exchange, "/stream"))
    stream.subscribe_trade_updates(collector(updates))
    async with running(stream):
        await until(lambda: any(x.listens for x in exchange._trading._listeners))
        await call(trading.submit_order, order(client_order_id="first"))
        resting = LimitOrderRequest(
            symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=1.0
        )
        await call(trading.cancel_order_by_id, (await call(trading.submit_order, resting)).id)
        await until(lambda: len(updates) >= 4)
    assert [str(u.event.value if hasattr(u.event, "value") else u.event) for u in updates] == [
        "new",
        "fill",
        "new",
        "canceled",
    ]
    fill = updates[1]
    assert (fill.order.client_order_id, fill.qty, fill.position_qty) == ("first", 10.0, 10.0)
    assert fill.order.status.value == "filled"
    assert fill.execution_id is not None


async def test_another_accounts_orders_are_not_heard(exchange: ExchangeServer, trading: TradingClient) -> None:
    async with trade_socket(exchange, "other", "keys") as foreign, trade_socket(exchange, "key", "secret") as own:
        await call(trading.submit_order, order())
        assert json.loads((await own.receive(WAIT)).data)["data"]["event"] == "new"
        await foreign.send_str('{"action":"listen","data":{"streams":[]}}')
        assert json.loads((await foreign.receive(WAIT)).data) == {"stream": "listening", "data": {"streams": []}}


@asynccontextmanager
async def trade_socket(exchange: ExchangeServer, key: str, secret: str) -> AsyncIterator[Socket]:
    async with aiohttp.ClientSession() as session, session.ws_connect(address(exchange, "/stream")) as socket:
        data = {"key_id": key, "secret_key": secret}
        await socket.send_str(json.dumps({"action": "authenticate", "data": data}))
        answer = await socket.receive(WAIT)
        assert answer.type is aiohttp.WSMsgType.BINARY
        assert json.loads(answer.data)["data"]["status"] == "authorized"
        await socket.send_str('{"action":"listen","data":{"streams":["trade_updates","nonsense"]}}')
        assert json.loads((await socket.receive(WAIT)).data)["data"] == {"streams": ["trade_updates"]}
        yield socket


async def test_the_trade_stream_says_who_is_not_authorized(exchange: ExchangeServer) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(address(exchange, "/stream")) as socket:
        for message in (
            '{"action":"listen","data":{"streams":["trade_updates"]}}',
            '{"action":"authenticate","data":{}}',
        ):
            await socket.send_str(message)
            assert json.loads((await socket.receive(WAIT)).data)["data"]["status"] == "unauthorized"
        for message in ("{", "[]", "1", '{"action":"dance"}', "[" * 50_000):
            await socket.send_str(message)
            assert json.loads((await socket.receive(WAIT)).data)["stream"] == "error"


@pytest.fixture
async def busy() -> AsyncIterator[ExchangeServer]:
    """Ten seconds of market in one."""
    async with ExchangeServer(ExchangeOptions(symbols=("SPY", "AAPL", "BTC/USD"), speed=10.0)) as server:
        yield server


async def test_alpaca_py_receives_trades_and_quotes(busy: ExchangeServer) -> None:
    trades: list[Any] = []
    quotes: list[Any] = []
    stream = StockDataStream("key", "secret", url_override=address(busy, "/v2/iex"))
    stream.subscribe_trades(collector(trades), "SPY")
    stream.subscribe_quotes(collector(quotes), "*")
    async with running(stream):
        await until(lambda: len(trades) > 3 and {q.symbol for q in quotes} == {"SPY", "AAPL"})
    assert {trade.symbol for trade in trades} == {"SPY"}
    assert all(trade.price > 0 and trade.size > 0 for trade in trades)
    assert all(quote.bid_price < quote.ask_price for quote in quotes)


async def test_alpaca_py_receives_crypto(busy: ExchangeServer) -> None:
    quotes: list[Any] = []
    stream = CryptoDataStream("key", "secret", url_override=address(busy, "/v1beta3/crypto/us"))
    stream.subscribe_quotes(collector(quotes), "BTC/USD")
    async with running(stream):
        await until(lambda: quotes)
    assert quotes[0].symbol == "BTC/USD"


async def test_alpaca_py_receives_minute_and_daily_bars() -> None:
    bars: list[Any] = []
    days: list[Any] = []
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), speed=200.0)) as exchange:
        stream = StockDataStream("key", "secret", url_override=address(exchange, "/v2/sip"))
        stream.subscribe_bars(collector(bars), "SPY")
        stream.subscribe_daily_bars(collector(days), "SPY")
        async with running(stream):
            await until(lambda: len(bars) >= 3 and len(days) >= 3)
    assert (bars[1].timestamp - bars[0].timestamp).total_seconds() == 60
    assert all(bar.low <= bar.open <= bar.high and bar.volume > 0 for bar in bars)
    assert days[0].timestamp < bars[0].timestamp


@pytest.mark.parametrize("packed", [True, False])
async def test_messages_are_maps_that_begin_with_their_kind(busy: ExchangeServer, packed: bool) -> None:
    async with data_socket(busy, packed=packed) as socket:
        await send(socket, {"action": "subscribe", "trades": ["SPY"], "quotes": ["SPY"]}, packed)
        (subscription,) = await receive(socket, packed)
        assert subscription["T"] == "subscription"
        assert (subscription["trades"], subscription["bars"]) == (["SPY"], [])
        seen: dict[str, Any] = {}
        while set(seen) != {"t", "q"}:
            for message in await receive(socket, packed):
                assert next(iter(message)) == "T"
                seen[message["T"]] = message
    assert {"S", "i", "x", "p", "s", "c", "z", "t"} <= set(seen["t"])
    assert {"S", "bx", "bp", "bs", "ax", "ap", "as", "c", "z", "t"} <= set(seen["q"])
    assert isinstance(seen["t"]["t"], str) != packed


async def test_subscriptions_add_up_and_can_be_taken_back(exchange: ExchangeServer) -> None:
    async with data_socket(exchange) as socket:
        await send(socket, {"action": "subscribe", "bars": ["SPY"]})
        await send(socket, {"action": "subscribe", "bars": ["AAPL"], "dailyBars": ["*"]})
        await send(socket, {"action": "unsubscribe", "bars": ["SPY", "never"]})
        answers = [(await receive(socket))[0] for _ in range(3)]
    assert [answer["bars"] for answer in answers] == [["SPY"], ["AAPL", "SPY"], ["AAPL"]]
    assert answers[2]["dailyBars"] == ["*"]


async def test_protocol_errors_have_their_codes(exchange: ExchangeServer) -> None:
    async with data_socket(exchange, authenticate=False) as socket:
        await send(socket, {"action": "subscribe", "trades": ["SPY"]})
        assert (await receive(socket))[0]["code"] == 401
        await socket.send_str("nonsense")
        assert (await receive(socket))[0]["code"] == 400
        await send(socket, {"action": "auth", "key": "key", "secret": "secret"})
        await receive(socket)
        await send(socket, {"action": "auth", "key": "key", "secret": "secret"})
        assert (await receive(socket))[0]["code"] == 403
        unread: list[object] = [
            {"action": "subscribe", "trades": "SPY"},
            {"action": "subscribe", "gossip": ["SPY"]},
            [],
            7,
        ]
        for bad in unread:
            await send(socket, bad)
            assert (await receive(socket))[0]["code"] == 400


async def test_bad_keys_are_refused_and_the_socket_closed() -> None:
    options = ExchangeOptions(symbols=("SPY",), keys={"a": "b"})
    async with ExchangeServer(options) as exchange, data_socket(exchange, authenticate=False) as socket:
        await send(socket, {"action": "auth", "key": "a", "secret": "c"})
        assert await receive(socket) == [{"T": "error", "code": 402, "msg": "auth failed"}]
        assert (await socket.receive(WAIT)).type is aiohttp.WSMsgType.CLOSE


async def test_who_does_not_authenticate_in_time_is_sent_away(
    exchange: ExchangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_stream, "AUTH_WAIT", 0.01)
    async with data_socket(exchange, authenticate=False) as socket:
        assert (await receive(socket))[0]["code"] == 404
        assert (await socket.receive(WAIT)).type is aiohttp.WSMsgType.CLOSE


async def test_limits_on_symbols_and_connections_are_kept() -> None:
    options = ExchangeOptions(symbols=("SPY",), symbol_limit=2, connection_limit=1)
    async with ExchangeServer(options) as exchange, data_socket(exchange) as socket:
        await send(socket, {"action": "subscribe", "bars": ["A", "B"]})
        await receive(socket)
        await send(socket, {"action": "subscribe", "trades": ["C"]})
        assert (await receive(socket))[0]["code"] == 405
        async with data_socket(exchange, authenticate=False) as second:
            await send(second, {"action": "auth", "key": "key", "secret": "secret"})
            assert (await receive(second))[0]["code"] == 406


async def test_the_test_feed_has_its_own_symbol(busy: ExchangeServer) -> None:
    async with data_socket(busy, "/v2/test") as socket:
        await send(socket, {"action": "subscribe", "trades": ["*"], "quotes": ["FAKEPACA"]})
        await receive(socket)
        messages = await receive(socket)
    assert {message["S"] for message in messages} == {"FAKEPACA"}
    assert {message["T"] for message in messages} == {"t", "q"}


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_WAITING", 256 * 1024)
    monkeypatch.setattr(outbox, "CLOSE_WAIT", 0.1)
    async with ExchangeServer(ExchangeOptions(speed=1000.0)) as exchange, data_socket(exchange) as good:
        await send(good, {"action": "subscribe", "bars": ["SPY"]})
        async with data_socket(exchange) as stuck:
            await send(stuck, {"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
            await until(lambda: exchange.counters.slow_clients == 1)
            await until(lambda: exchange._data.clients == 1)
        await receive(good)
        assert (await receive(good))[0]["T"] == "b"


async def test_a_plain_request_to_a_stream_is_told_so(exchange: ExchangeServer) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/stream", "/v2/iex"):
            async with session.get(exchange.url + path) as answer:
                assert answer.status == 426
