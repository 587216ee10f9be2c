"""Venues that misbehave, on real sockets: for answers that the local exchange never gives."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from engine.broker.address import VenueAddress
from engine.domain.orders import Order, OrderType, Side, TimeInForce


def order(number: int, **changes: object) -> Order:
    """One share of SPY at the market."""
    fields: dict[str, Any] = {
        "client_order_id": f"demo-test-{number:026d}",
        "symbol": "SPY",
        "side": Side.BUY,
        "quantity": Decimal(1),
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "sleeve": "test",
        "created_at": 0,
    }
    return Order(**{**fields, **changes})


def wire_order(**changes: object) -> dict[str, object]:
    """An order as Alpaca writes it, nulls and all."""
    return {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": "demo-test-1",
        "created_at": "2026-03-16T18:38:01.942282Z",
        "updated_at": "2026-03-16T18:38:01.942282Z",
        "submitted_at": "2026-03-16T18:38:01.937734Z",
        "filled_at": None,
        "replaced_by": None,
        "asset_class": "us_equity",
        "symbol": "SPY",
        "notional": None,
        "qty": "15",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": "limit",
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "107.10",
        "stop_price": None,
        "status": "new",
        "extended_hours": False,
        "legs": None,
        **changes,
    }


class Answers:
    """What the venue says to each request, in turn; the last one for ever. `asked` has what was asked."""

    def __init__(self, *answers: web.Response) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        said = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        # aiohttp sends a response object only once.
        return web.Response(status=said.status, body=said.body, headers=said.headers)


def says(body: object, status: int = 200, **headers: str) -> web.Response:
    """JSON; a str is sent as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    return web.Response(status=status, text=text, headers={name.replace("_", "-"): v for name, v in headers.items()})


@contextlib.asynccontextmanager
async def rest_venue(answers: Answers) -> AsyncIterator[VenueAddress]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answers.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield VenueAddress.local(f"http://127.0.0.1:{runner.addresses[0][1]}", "PKTESTKEY", "secret")
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def stream_venue(speak: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[VenueAddress]:
    """`speak` has the connection to itself; it ends when `speak` does."""
    async with serve(speak, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield VenueAddress.local(f"http://127.0.0.1:{port}", "PKTESTKEY", "secret")


async def welcome(socket: ServerConnection) -> None:
    """The handshake of the trade-updates stream, in binary frames as the paper venue sends them."""
    await socket.recv()
    await socket.send(b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}')
    await socket.recv()
    await socket.send(b'{"stream":"listening","data":{"streams":["trade_updates"]}}')
