"""Market-data streams: the handshake, who may listen, and the market handed on."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from engine.domain.market import Bar
from engine.exchange.prices.events import TapeEvent
from engine.exchange.refusals import Refusal
from engine.exchange.server import codec
from engine.exchange.server.fan_out import FanOut, messages_of
from engine.exchange.server.floor import Floor
from engine.exchange.server.outbox import Outbox
from engine.exchange.server.subscribers import CRYPTO, STOCKS, TEST, Client, change

AUTH_WAIT = 10.0
MAX_MESSAGE = 1024 * 1024
SIP = "/v2/sip"
FEEDS = {
    "/v2/iex": STOCKS,
    SIP: STOCKS,
    "/v2/delayed_sip": STOCKS,
    "/v2/test": TEST,
    "/v1beta3/crypto/us": CRYPTO,
}


class DataStreams:
    """All data connections. `publish` gives every client its part of a batch in as few frames as possible."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        return len(self._clients)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(path, partial(self._serve, feed=feed), allow_head=False) for path, feed in FEEDS.items()]

    def drop(self) -> None:
        """Close every connection now."""
        for client in self._clients:
            client.outbox.finish()

    def publish(self, events: list[TapeEvent], minutes: list[Bar], revised: list[Bar], days: list[Bar]) -> None:
        """What one step of the market brought: closed minutes, closed minutes that have changed, days as they stand."""
        bars = [("bars", bar) for bar in minutes]
        bars += [("updatedBars", bar) for bar in revised]
        bars += [("dailyBars", bar) for bar in days]
        self._send(events, bars)

    def publish_test(self, events: list[TapeEvent], minutes: list[Bar]) -> None:
        """The test feed's own symbol."""
        self._send(events, [("bars", bar) for bar in minutes], test=True)

    def _send(self, events: list[TapeEvent], bars: list[tuple[str, Bar]], *, test: bool = False) -> None:
        floor = self._floor
        if not self._clients or not (events or bars) or floor.faults.is_muted("data"):
            return
        batch = FanOut(messages_of(events, bars), floor.counters, test)
        for client in list(self._clients):
            if not batch.send(client):
                floor.counters.slow_clients += 1
                client.refuse(407, close=True)

    async def _serve(self, request: web.Request, feed: str) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False, timeout=1.0)
        if not socket.can_prepare(request).ok:
            return web.json_response({"code": 42610000, "message": "this is a WebSocket end point"}, status=426)
        await socket.prepare(request)
        packed = request.headers.get("Content-Type", "").startswith("application/msgpack")
        client = Client(Outbox(socket, request.transport), feed, request.path, packed)
        self._clients.add(client)
        try:
            client.send({"T": "success", "msg": "connected"})
            await self._converse(socket, client)
        finally:
            self._clients.discard(client)
            await client.outbox.close()
        return socket

    async def _converse(self, socket: web.WebSocketResponse, client: Client) -> None:
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(AUTH_WAIT, self._expire, client)
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._handle(client, message.data)
        finally:
            expiry.cancel()

    def _expire(self, client: Client) -> None:
        if not client.is_authenticated:
            client.refuse(404, close=True)

    def _handle(self, client: Client, data: bytes | str) -> None:
        try:
            body = codec.decode(data, client.packed)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            client.refuse(400)
            return
        action = body.get("action") if isinstance(body, dict) else None
        if action == "auth":
            self._authenticate(client, body)
        elif action in ("subscribe", "unsubscribe"):
            self._subscribe(client, body, action == "subscribe")
        else:
            client.refuse(400)

    def _authenticate(self, client: Client, body: dict[str, Any]) -> None:
        if client.is_authenticated:
            client.refuse(403)
            return
        key, secret = body.get("key"), body.get("secret")
        try:
            self._floor.account_id(key if isinstance(key, str) else "", secret if isinstance(secret, str) else "")
        except Refusal:
            client.refuse(402, close=True)
            return
        options = self._floor.options
        if client.path == SIP and not options.sip:
            client.refuse(409, close=True)
            return
        limit = options.connection_limit
        if limit and sum(c.key == key and c.path == client.path for c in self._clients) >= limit:
            client.refuse(406, close=True)
            return
        client.key = str(key)
        client.send({"T": "success", "msg": "authenticated"})

    def _subscribe(self, client: Client, body: dict[str, Any], add: bool) -> None:
        if not client.is_authenticated:
            client.refuse(401)
            return
        wanted = {channel: names for channel, names in body.items() if channel != "action"}
        if not all(_is_names(names) for names in wanted.values()):
            client.refuse(400)
        elif code := change(client, wanted, add, self._floor.options.symbol_limit):
            client.refuse(code)
        else:
            client.send(client.subscribed())


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and len(name) <= 32 for name in value)
