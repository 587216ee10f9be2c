"""Every fault as a client meets it, and the ledger behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from engine.exchange.server import ExchangeServer
from tests.exchange.conftest import WAIT
from tests.waiting import until

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
ORDER = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "1"}


@pytest.fixture
async def session(exchange: ExchangeServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(exchange.url, headers=KEYS) as found:
        yield found


async def arm(session: aiohttp.ClientSession, kind: str, **fields: Any) -> None:
    async with session.post("/paddock/faults", json={"kind": kind, **fields}) as answer:
        assert answer.status == 200, await answer.text()


async def submit(session: aiohttp.ClientSession, client_order_id: str = "mine") -> int:
    async with session.post("/v2/orders", json=ORDER | {"client_order_id": client_order_id}) as answer:
        return answer.status


async def open_orders(session: aiohttp.ClientSession) -> int:
    async with session.get("/v2/orders") as answer:
        return len(await answer.json())


@pytest.mark.parametrize("status", [429, 500, 504])
async def test_a_refused_request_has_done_nothing(session: aiohttp.ClientSession, status: int) -> None:
    await arm(session, "http_status", status=status, path="/v2/orders", method="POST")
    assert await submit(session) == status
    assert await open_orders(session) == 0
    assert await submit(session) == 200


async def test_an_error_after_the_act_leaves_the_order_standing(session: aiohttp.ClientSession) -> None:
    await arm(session, "http_status", status=504, after=True, method="POST")
    assert await submit(session) == 504
    assert await open_orders(session) == 1
    assert await submit(session) == 422


async def test_a_lost_response_leaves_the_order_standing(session: aiohttp.ClientSession) -> None:
    await arm(session, "lose_response", method="POST")
    with pytest.raises(aiohttp.ClientError):
        await submit(session)
    assert await open_orders(session) == 1


@pytest.mark.parametrize(("after", "standing"), [(False, 0), (True, 1)])
async def test_a_slow_answer_times_out_before_or_after_the_act(
    exchange: ExchangeServer, session: aiohttp.ClientSession, after: bool, standing: int
) -> None:
    await arm(session, "delay", seconds=0.3, after=after, method="POST")
    sent = asyncio.create_task(submit(session))
    await until(lambda: exchange.floor.faults.fired)
    assert await open_orders(session) == standing
    assert await sent == 200
    assert await open_orders(session) == 1


@asynccontextmanager
async def updates(session: aiohttp.ClientSession) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with session.ws_connect("/stream") as socket:
        await socket.send_json({"action": "auth", "key": "key", "secret": "secret"})
        await socket.receive(WAIT)
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        await socket.receive(WAIT)
        yield socket


async def next_id(socket: aiohttp.ClientWebSocketResponse) -> str:
    message = json.loads((await socket.receive(WAIT)).data)
    return str(message["data"]["order"]["client_order_id"])


@pytest.mark.parametrize(
    ("kind", "heard"),
    [("lose_updates", ["b"]), ("duplicate_updates", ["a", "a", "b"]), ("delay_updates", ["b", "a"])],
)
async def test_updates_are_lost_doubled_or_late(session: aiohttp.ClientSession, kind: str, heard: list[str]) -> None:
    async with updates(session) as socket:
        await arm(session, kind, seconds=0.1)
        await submit(session, "a")
        await submit(session, "b")
        assert [await next_id(socket) for _ in heard] == heard


async def test_muted_streams_stay_open_until_all_is_cleared(session: aiohttp.ClientSession) -> None:
    async with updates(session) as socket:
        await arm(session, "mute_streams", stream="trading")
        await submit(session, "a")
        await arm(session, "clear")
        await submit(session, "b")
        assert await next_id(socket) == "b"


async def test_dropped_streams_are_closed_once(session: aiohttp.ClientSession) -> None:
    async with updates(session) as socket:
        await arm(session, "drop_streams")
        assert (await socket.receive(WAIT)).type is aiohttp.WSMsgType.CLOSE
    async with updates(session) as again:
        await submit(session, "b")
        assert await next_id(again) == "b"


async def test_the_clock_can_be_wrong(exchange: ExchangeServer, session: aiohttp.ClientSession) -> None:
    await arm(session, "clock_skew", seconds=-600)
    async with session.get("/v2/clock") as answer:
        wrong = (await answer.json())["timestamp"]
    await arm(session, "clear")
    async with session.get("/v2/clock") as answer:
        assert wrong < (await answer.json())["timestamp"]


@pytest.mark.parametrize(
    "fault",
    [{}, {"kind": "none"}, {"kind": "delay", "seconds": 1e9}, {"kind": "delay", "seconds": -1}, {"kind": "clear", "count": 0},
     {"kind": "http_status", "status": 200}, {"kind": "mute_streams", "stream": "x"}],
)  # fmt: skip
async def test_a_fault_that_does_not_exist_is_refused(session: aiohttp.ClientSession, fault: dict[str, Any]) -> None:
    async with session.post("/paddock/faults", json=fault) as answer:
        assert answer.status == 422


async def test_a_page_in_a_browser_cannot_set_faults(exchange: ExchangeServer, session: aiohttp.ClientSession) -> None:
    async with session.post(
        "/paddock/faults", data='{"kind":"clear"}', headers={"Content-Type": "text/plain"}
    ) as answer:
        assert answer.status == 403
    async with session.post("/paddock/faults", json={"kind": "clear"}, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
