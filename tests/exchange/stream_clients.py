"""Clients of the exchange's streams: alpaca-py's own inside the test's loop, and the protocol by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from engine.exchange.server import ExchangeServer
from tests.exchange.conftest import WAIT

Socket = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def running(stream: Any) -> AsyncIterator[None]:
    """alpaca-py's stream inside this loop; see alpaca.md, section 3."""
    task = asyncio.create_task(stream._run_forever())
    try:
        yield
    finally:
        await stream.stop_ws()
        await stream.close()
        await asyncio.wait_for(task, WAIT)


def collector(found: list[Any]) -> Callable[[Any], Awaitable[None]]:
    async def handle(message: Any) -> None:
        found.append(message)

    return handle


def address(exchange: ExchangeServer, path: str) -> str:
    return exchange.url.replace("http", "ws") + path


@asynccontextmanager
async def data_socket(
    exchange: ExchangeServer, path: str = "/v2/iex", *, packed: bool = False, authenticate: bool = True
) -> AsyncIterator[Socket]:
    headers = {"Content-Type": "application/msgpack"} if packed else {}
    where = address(exchange, path)
    async with aiohttp.ClientSession() as session, session.ws_connect(where, headers=headers) as socket:
        assert await receive(socket, packed) == [{"T": "success", "msg": "connected"}]
        if authenticate:
            await send(socket, {"action": "auth", "key": "key", "secret": "secret"}, packed)
            assert await receive(socket, packed) == [{"T": "success", "msg": "authenticated"}]
        yield socket


async def send(socket: Socket, message: object, packed: bool = False) -> None:
    await (socket.send_bytes(msgspec.msgpack.encode(message)) if packed else socket.send_str(json.dumps(message)))


async def receive(socket: Socket, packed: bool = False) -> Any:
    message = await socket.receive(WAIT)
    assert message.type is (aiohttp.WSMsgType.BINARY if packed else aiohttp.WSMsgType.TEXT)
    return msgspec.msgpack.decode(message.data) if packed else json.loads(message.data)
