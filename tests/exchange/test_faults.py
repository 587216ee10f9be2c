"""Every fault as alpaca-py meets it, and the ledger behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream

from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.exchange.conftest import call
from tests.waiting import until, until_async

Admin = Callable[..., Any]


@pytest.fixture
def once(trading: TradingClient) -> TradingClient:
    """Without alpaca-py's own repetition of 429 and 504."""
    trading._retry = 0
    return trading


@pytest.fixture
async def admin(exchange: ExchangeServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.url) as session:
        yield session


async def arm(admin: aiohttp.ClientSession, kind: str, **fields: Any) -> int:
    async with admin.post("/paddock/faults", json={"kind": kind, **fields}) as answer:
        assert answer.status == 200, await answer.text()
        return int((await answer.json())["n"])


async def armed(admin: aiohttp.ClientSession) -> Any:
    async with admin.get("/paddock/faults") as answer:
        return await answer.json()


def an_order(name: str = "mine") -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=1.0, client_order_id=name
    )


async def submit(client: TradingClient, name: str = "mine") -> Any:
    return await call(client.submit_order, an_order(name))


async def names(client: TradingClient) -> list[str]:
    return [order.client_order_id for order in reversed(await call(client.get_orders))]


@asynccontextmanager
async def updates(exchange: ExchangeServer) -> AsyncIterator[list[str]]:
    """The orders that alpaca-py's stream hears of, by client id."""
    heard: list[str] = []

    async def hear(update: Any) -> None:
        heard.append(update.order.client_order_id)

    stream = TradingStream("key", "secret", url_override=exchange.url.replace("http", "ws") + "/stream")
    stream.subscribe_trade_updates(hear)
    task = asyncio.create_task(stream._run_forever())
    try:
        await until(lambda: any(x.listens for x in exchange._trading._listeners))
        yield heard
    finally:
        await stream.stop_ws()
        await stream.close()
        await asyncio.wait_for(task, 10)


@pytest.mark.parametrize("status", [429, 500, 504])
async def test_a_refused_request_has_done_nothing(
    once: TradingClient, admin: aiohttp.ClientSession, status: int
) -> None:
    await arm(admin, "http_status", status=status, path="/v2/orders", method="POST")
    with pytest.raises(APIError) as refused:
        await submit(once)
    assert refused.value.status_code == status
    assert isinstance(refused.value.code, int) and refused.value.message
    assert await names(once) == []
    await submit(once)
    assert await names(once) == ["mine"]


async def test_too_many_requests_come_with_the_headers_of_the_venue(
    once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    await arm(admin, "http_status", status=429)
    with pytest.raises(APIError) as refused:
        await call(once.get_account)
    headers = refused.value.response.headers
    assert (refused.value.code, headers["X-RateLimit-Remaining"]) == (42910000, "0")
    assert headers["X-RateLimit-Limit"] == "200"
    assert 0 <= int(headers["X-RateLimit-Reset"]) - datetime.now(UTC).timestamp() <= 61


async def test_a_gateways_page_has_a_status_and_no_code(once: TradingClient, admin: aiohttp.ClientSession) -> None:
    await arm(admin, "http_status", status=504, html=True)
    with pytest.raises(APIError) as refused:
        await call(once.get_account)
    assert refused.value.status_code == 504
    with pytest.raises(ValueError):
        _ = refused.value.code


async def test_an_error_after_the_act_leaves_the_order_standing(
    once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    await arm(admin, "http_status", status=504, after=True, method="POST")
    with pytest.raises(APIError):
        await submit(once)
    assert await names(once) == ["mine"]
    with pytest.raises(APIError) as repeated:
        await submit(once)
    assert repeated.value.code == 40010001


async def test_a_lost_response_leaves_the_order_standing(once: TradingClient, admin: aiohttp.ClientSession) -> None:
    await arm(admin, "lose_response", method="POST")
    with pytest.raises(requests.ConnectionError):
        await submit(once)
    assert await names(once) == ["mine"]


@pytest.mark.parametrize(("after", "standing"), [(False, []), (True, ["mine"])])
async def test_a_slow_answer_comes_before_or_after_the_act(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession, after: bool, standing: list[str]
) -> None:
    await arm(admin, "delay", seconds=0.4, after=after, method="POST")
    sent = asyncio.create_task(submit(once))
    await until(lambda: exchange.floor.faults.fired)
    with TradingClientOf(exchange) as other:
        assert await names(other) == standing
        await sent
        assert await names(other) == ["mine"]


async def test_a_request_is_carried_out_late_although_its_client_has_left(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    await arm(admin, "delay", seconds=0.4, method="POST")
    give_up_after(once, 0.1)
    with pytest.raises(requests.Timeout):
        await submit(once)
    give_up_after(once, 10)
    assert await names(once) == []
    await until_async(lambda: names(once))


async def test_a_request_hangs_until_the_fault_is_disarmed(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    number = await arm(admin, "hang", method="POST")
    sent = asyncio.create_task(submit(once))
    await until(lambda: exchange.floor.faults.hanging)
    assert (await armed(admin))["hanging"] == 1
    assert not sent.done()
    async with admin.delete(f"/paddock/faults/{number}") as answer:
        assert answer.status == 204
    assert (await sent).client_order_id == "mine"


async def test_a_hanging_request_whose_client_leaves_has_done_nothing(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    await arm(admin, "hang", method="POST")
    give_up_after(once, 0.1)
    with pytest.raises(requests.Timeout):
        await submit(once)
    await until(lambda: not exchange.floor.faults.hanging)
    await arm(admin, "clear")
    give_up_after(once, 10)
    assert await names(once) == []


async def test_reads_lag_behind_until_the_fault_is_cleared(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    await submit(once, "old")
    await call(once.submit_order, market("BTC/USD"))
    cash = (await call(once.get_account)).cash
    await arm(admin, "read_lag", seconds=60)
    new = await submit(once, "new")
    await call(once.cancel_order_by_id, (await call(once.get_order_by_client_id, "old")).id)
    await call(once.submit_order, market("SPY"))
    assert await names(once) == ["old"]
    assert [p.symbol for p in await call(once.get_all_positions)] == ["BTCUSD"]
    assert (await call(once.get_open_position, "BTCUSD")).symbol == "BTCUSD"
    assert (await call(once.get_account)).cash == cash
    for read in (partial(once.get_order_by_id, new.id), partial(once.get_open_position, "SPY")):
        with pytest.raises(APIError) as missing:
            await call(read)
        assert missing.value.status_code == 404
    await arm(admin, "clear")
    assert await names(once) == ["new"]
    assert len(await call(once.get_all_positions)) == 2
    assert (await call(once.get_account)).cash != cash


async def test_a_new_order_is_seen_when_the_lag_has_passed(once: TradingClient, admin: aiohttp.ClientSession) -> None:
    await arm(admin, "read_lag", seconds=0.5)
    await submit(once)
    assert await names(once) == []
    await until_async(lambda: names(once))
    assert (await armed(admin))["fired"]["read_lag"] >= 2


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        ("lose_updates", ["b", "c", "d"]),
        ("duplicate_updates", ["a", "a", "b", "c", "d"]),
        ("delay_updates", ["b", "c", "d", "a"]),
        ("reorder_updates", ["c", "b", "a", "d"]),
    ],
)
async def test_updates_are_lost_doubled_late_or_in_disorder(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession, kind: str, heard: list[str]
) -> None:
    async with updates(exchange) as found:
        await arm(admin, kind, seconds=1.0, count=3 if kind == "reorder_updates" else 1)
        for name in "abcd":
            await submit(once, name)
        await until(lambda: len(found) >= len(heard))
        assert found == heard


async def test_updates_that_were_kept_back_are_sent_when_all_is_cleared(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    async with updates(exchange) as found:
        await arm(admin, "reorder_updates", count=9)
        await submit(once, "a")
        await submit(once, "b")
        await arm(admin, "clear")
        await until(lambda: len(found) == 2)
        assert found == ["b", "a"]


async def test_muted_streams_stay_open_until_all_is_cleared(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    async with updates(exchange) as found:
        await arm(admin, "mute_streams", stream="trading")
        await submit(once, "a")
        await arm(admin, "clear")
        await submit(once, "b")
        await until(lambda: found)
        assert found == ["b"]


async def test_a_dropped_stream_comes_back_and_hears_what_follows(
    exchange: ExchangeServer, once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    async with updates(exchange) as found:
        await arm(admin, "drop_streams", stream="trading")
        await until(lambda: not any(x.listens for x in exchange._trading._listeners))
        await until(lambda: any(x.listens for x in exchange._trading._listeners))
        await submit(once, "b")
        await until(lambda: found)


async def test_the_clock_can_be_wrong(once: TradingClient, admin: aiohttp.ClientSession) -> None:
    await arm(admin, "clock_skew", seconds=-600)
    wrong = (await call(once.get_clock)).timestamp
    await arm(admin, "clear")
    assert 599 < ((await call(once.get_clock)).timestamp - wrong).total_seconds() < 660


@pytest.mark.parametrize("durable", [False, True])
async def test_a_restart_closes_every_socket_and_loses_nothing(tmp_path: Path, durable: bool) -> None:
    options = ExchangeOptions(
        symbols=("SPY", "BTC/USD"), partial_fills=0.0, recent_minutes=1, state=tmp_path if durable else None
    )
    async with (
        ExchangeServer(options) as exchange,
        aiohttp.ClientSession(exchange.url) as admin,
        updates(exchange) as found,
    ):
        with TradingClientOf(exchange) as client:
            await submit(client, "before")
            await call(client.submit_order, market("BTC/USD"))
            await until(lambda: len(found) == 3)
            url, streams = exchange.url, exchange._trading
            await arm(admin, "clock_skew", seconds=60)
            await arm(admin, "restart", seconds=0.1)
            await until(lambda: exchange._trading is not streams)
            await until(lambda: any(x.listens for x in exchange._trading._listeners))
            assert exchange.url == url
            assert await names(client) == ["before"]
            assert [p.symbol for p in await call(client.get_all_positions)] == ["BTCUSD"]
            await submit(client, "after")
            await until(lambda: found[-1] == "after")
            listed = await armed(admin)
            assert [fault["kind"] for fault in listed["armed"]] == ["clock_skew"]
            assert listed["fired"]["restart"] == 1


async def test_what_is_armed_is_listed_with_how_often_it_has_fired(
    once: TradingClient, admin: aiohttp.ClientSession
) -> None:
    first = await arm(admin, "http_status", status=500, count=3)
    second = await arm(admin, "lose_updates")
    with pytest.raises(APIError):
        await call(once.get_account)
    found = await armed(admin)
    assert [(f["n"], f["kind"], f["left"], f["fired"]) for f in found["armed"]] == [
        (first, "http_status", 2, 1),
        (second, "lose_updates", 1, 0),
    ]
    async with admin.delete(f"/paddock/faults/{first}") as gone, admin.delete(f"/paddock/faults/{first}") as missing:
        assert (gone.status, missing.status) == (204, 404)
    await call(once.get_account)
    async with admin.delete("/paddock/faults") as cleared:
        assert cleared.status == 204
    assert await armed(admin) == {"armed": [], "fired": {"http_status": 1}, "hanging": 0}


@pytest.mark.parametrize(
    "fault",
    [{}, {"kind": "none"}, {"kind": "delay", "seconds": 1e9}, {"kind": "delay", "seconds": -1}, {"kind": "clear", "count": 0},
     {"kind": "http_status", "status": 200}, {"kind": "mute_streams", "stream": "x"}, {"kind": "reorder_updates"},
     {"kind": "delay", "method": "get"}],
)  # fmt: skip
async def test_a_fault_that_does_not_exist_is_refused(admin: aiohttp.ClientSession, fault: dict[str, Any]) -> None:
    async with admin.post("/paddock/faults", json=fault) as answer:
        assert answer.status == 422


async def test_a_page_in_a_browser_cannot_set_faults(admin: aiohttp.ClientSession) -> None:
    plain = {"data": '{"kind":"clear"}', "headers": {"Content-Type": "text/plain"}}
    renamed: dict[str, Any] = {"json": {"kind": "clear"}, "headers": {"Host": "evil.example"}}
    for request in (plain, renamed):
        async with admin.post("/paddock/faults", **request) as answer:
            assert answer.status == 403
    async with admin.delete("/paddock/faults", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403


def market(symbol: str) -> MarketOrderRequest:
    time_in_force = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
    return MarketOrderRequest(
        symbol=symbol, qty=1 if symbol == "SPY" else 0.1, side=OrderSide.BUY, time_in_force=time_in_force
    )


def give_up_after(client: TradingClient, seconds: float) -> None:
    """alpaca-py has no timeout of its own."""
    client._session.request = partial(requests.Session.request, client._session, timeout=seconds)  # type: ignore[method-assign]


class TradingClientOf:
    """A second connection of the same account."""

    def __init__(self, exchange: ExchangeServer) -> None:
        self._client = TradingClient("key", "secret", url_override=exchange.url)
        self._client._session.trust_env = False

    def __enter__(self) -> TradingClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client._session.close()
