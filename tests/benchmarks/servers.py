"""Servers to measure, each in a process of its own: the exchange, a bare handler, and a stream that never rests."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

from engine.domain.market import Quote, Trade
from engine.exchange.prices.events import TapeEvent
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.garbage import spare_the_living

BATCH = 1_000
"""Messages of one step of the market, a busy one."""
Ready = Callable[[str], None]


def a_batch() -> list[Quote | Trade]:
    """Trades and quotes in turn."""
    at = 1_700_000_000_123_456_789
    return [
        Quote("SPY", 100.01, 100, 100.02, 300, at + n)
        if n % 2
        else Trade("SPY", 100.02, 100, at + n, "V", ("@", "F"), n)
        for n in range(BATCH)
    ]


async def bare(stop: asyncio.Event, ready: Ready) -> None:
    """A handler that reads JSON and answers it, and does nothing else."""

    async def handle(request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    app = web.Application()
    app.add_routes([web.post("/v2/orders", handle)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await stop.wait()
    await runner.cleanup()


async def exchange(stop: asyncio.Event, ready: Ready, **options: Any) -> None:
    async with ExchangeServer(ExchangeOptions(**options)) as server:
        spare_the_living()
        ready(server.url)
        await stop.wait()


async def stream(stop: asyncio.Event, ready: Ready) -> None:
    """The exchange with a market that brings the next batch as soon as every client has taken the last one."""
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",))) as server:
        ready(server.url)
        streams, events = server._data, list[TapeEvent](a_batch())
        while not stop.is_set():
            if not any(client.outbox.waiting for client in streams._clients):
                streams.publish(events, minutes=[], revised=[], days=[])
            await asyncio.sleep(0)


def _child(pipe: Connection, name: str, options: dict[str, Any]) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)
        await {"bare": bare, "exchange": exchange, "stream": stream}[name](stop, pipe.send, **options)

    asyncio.run(main())


class Server:
    """`with Server("exchange", symbols=("SPY",)) as url`."""

    def __init__(self, name: str, **options: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_child, args=(theirs, name, options))

    def __enter__(self) -> str:
        self._process.start()
        url: str = self._pipe.recv()
        return url

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join(10)
        self._process.kill()
