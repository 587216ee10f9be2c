"""`python -m tests.benchmarks.exchange`: what the local exchange can take, one JSON object a line.

Every figure of the server stands beside a bare one from the same run: the same request to a bare aiohttp handler, the
same frames from an encoder alone. Server and clients are separate processes, as in use.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from engine.domain.market import Quote
from engine.domain.orders import OrderType, Side
from engine.exchange.fills import AlpacaFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder
from engine.exchange.server import ExchangeOptions, ExchangeServer, codec

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
ORDER = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "1"}
SECONDS = 4.0


def say(name: str, **figures: object) -> None:
    print(json.dumps({"bench": "exchange", "name": name, **figures}), flush=True)


def matching(orders: int = 50_000) -> None:
    """Limit orders against a quote that moves over them: orders and market events a second."""
    engine = MatchingEngine(AlpacaFill(partial_probability=0.0))
    sent = [
        NewOrder(
            order_id=str(n), symbol="SPY", side=Side.BUY, quantity=Decimal(10), type=OrderType.LIMIT,
            limit_price=Decimal(9_000 + n % 2_000) / 100,
        )
        for n in range(orders)
    ]  # fmt: skip
    engine.on_quote(Quote("SPY", 119.99, 100, 120.0, 100, 0))
    started = time.perf_counter()
    for now, order in enumerate(sent):
        engine.submit(order, now)
    submitted = time.perf_counter()
    quotes = [Quote("SPY", 119.99 - n % 20 / 100, 100, 120 - n % 20 / 100, 100, n) for n in range(200_000)]
    prepared = time.perf_counter()
    for quote in quotes:
        engine.on_quote(quote)
    ended = time.perf_counter()
    fills = engine.on_quote(Quote("SPY", 80.0, 100, 80.01, 100, 0))
    swept = time.perf_counter()
    say(
        "matching",
        orders_per_second=round(orders / (submitted - started)),
        quotes_per_second=round(len(quotes) / (ended - prepared)),
        fills_per_second=round(len(fills) / (swept - ended)),
    )


async def bare(stop: asyncio.Event, ready: Callable[[str], None]) -> None:
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


def exchange(**fields: Any) -> Callable[[asyncio.Event, Callable[[str], None]], Awaitable[None]]:
    async def run(stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        async with ExchangeServer(ExchangeOptions(**fields)) as server:
            ready(server.url)
            await stop.wait()

    return run


def _child(pipe: Connection, name: str, fields: dict[str, Any]) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)
        await (bare if name == "bare" else exchange(**fields))(stop, pipe.send)

    asyncio.run(main())


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, **fields: Any) -> None:
        self._pipe, theirs = multiprocessing.get_context("spawn").Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_child, args=(theirs, name, fields))

    def __enter__(self) -> str:
        self._process.start()
        url: str = self._pipe.recv()
        return url

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join(10)
        self._process.kill()


async def post(url: str, connections: int = 8) -> tuple[float, float]:
    """Orders a second, and the 99th percentile of their time in milliseconds."""
    times: list[float] = []

    async def one(session: aiohttp.ClientSession, end: float) -> None:
        while (began := time.perf_counter()) < end:
            async with session.post(url + "/v2/orders", json=ORDER) as answer:
                await answer.read()
                assert answer.status == 200, answer.status
            times.append(time.perf_counter() - began)

    async with aiohttp.ClientSession(headers=KEYS) as session:
        await asyncio.gather(*(one(session, time.perf_counter() + SECONDS) for _ in range(connections)))
    return len(times) / SECONDS, sorted(times)[len(times) * 99 // 100] * 1e3


def orders() -> None:
    with Server("bare") as url:
        rate, p99 = asyncio.run(post(url))
    with Server("exchange", symbols=("SPY",)) as url:
        ours, our_p99 = asyncio.run(post(url))
    say(
        "orders",
        orders_per_second=round(ours),
        p99_ms=round(our_p99, 1),
        bare_per_second=round(rate),
        bare_p99_ms=round(p99, 1),
        ratio=round(ours / rate, 2),
    )


async def listen(url: str, clients: int, seconds: float) -> int:
    """Bytes that all clients together were sent."""
    received = 0

    async def one(session: aiohttp.ClientSession, counting: asyncio.Event) -> None:
        nonlocal received
        headers = {"Content-Type": "application/msgpack"}
        async with session.ws_connect(url.replace("http", "ws") + "/v2/iex", headers=headers, max_msg_size=0) as socket:
            for said in ({"action": "auth", "key": "k", "secret": "s"}, {"action": "subscribe", **_ALL}):
                await socket.send_bytes(codec.encode_control([said], True)[1:])  # type: ignore[arg-type]
            async for message in socket:
                if counting.is_set():
                    received += len(message.data)

    async with aiohttp.ClientSession() as session:
        counting = asyncio.Event()
        tasks = [asyncio.create_task(one(session, counting)) for _ in range(clients)]
        await asyncio.sleep(1.5)
        counting.set()
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return received


_ALL = {"trades": ["*"], "quotes": ["*"]}


def fan_out() -> None:
    """A market that is as fast as it can be: what one and ten clients are sent, beside the encoder alone."""
    quote = Quote("SPY", 100.01, 100, 100.02, 300, 1_700_000_000_123_456_789)
    size = len(codec.encode_quote(quote, True))
    started = time.perf_counter()
    for _ in range(200_000):
        codec.encode_quote(quote, True)
    ceiling = 200_000 / (time.perf_counter() - started)
    for clients in (1, 10):
        with Server("exchange", speed=100_000.0) as url:
            received = asyncio.run(listen(url, clients, SECONDS))
        say(
            "fan_out",
            clients=clients,
            messages_per_second=round(received / size / SECONDS),
            encoder_per_second=round(ceiling),
        )


def replay(folder: Path) -> None:
    """The whole of SPY's day through the replay, the tape and the matching engine, without sockets."""
    from engine.exchange.prices.replay import ReplayPrices
    from engine.exchange.sessions import RegularHours
    from engine.exchange.venue import Venue

    started = time.perf_counter()
    source = ReplayPrices(folder, ["SPY"], "2013-10-07")
    read = time.perf_counter()
    venue = Venue(source, RegularHours(source.end), tick_limit=1_000_000)
    assert source.end is not None
    events = 0
    while venue.now < source.end:
        events += len(venue.advance(venue.now + 1_000_000_000).events)
    ended = time.perf_counter()
    say(
        "replay", events=events, events_per_second=round(events / (ended - read)), read_seconds=round(read - started, 2)
    )


def main() -> None:
    matching()
    orders()
    fan_out()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    if (folder / "trades").is_dir():
        replay(folder)


if __name__ == "__main__":
    main()
