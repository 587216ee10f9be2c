"""Market-data streams: the handshake, the subscriptions, and what each client is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from engine.domain.market import Bar, Quote
from engine.exchange.prices.events import TapeEvent
from engine.exchange.refusals import Refusal
from engine.exchange.server import codec
from engine.exchange.server.floor import Floor
from engine.exchange.server.outbox import Outbox

AUTH_WAIT = 10.0
MAX_MESSAGE = 1024 * 1024
CHANNELS = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "orderbooks",
    "corrections",
    "cancelErrors",
)
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    410: "invalid subscribe action for this feed",
}

Message = tuple[str, str, Callable[[bool], bytes]]
"""(channel, symbol, encoder that is told whether msgpack is wanted)"""


class Client:
    """One connection of one feed."""

    def __init__(self, outbox: Outbox, feed: str, packed: bool) -> None:
        self.feed = feed
        self.packed = packed
        self.outbox = outbox
        self.key = ""
        self.subscriptions: dict[str, set[str]] = {channel: set() for channel in CHANNELS}

    @property
    def is_authenticated(self) -> bool:
        return bool(self.key)

    def signature(self) -> tuple[object, ...]:
        """Clients of equal signature are sent equal frames."""
        return (self.feed, self.packed, *(frozenset(names) for names in self.subscriptions.values()))

    def wants(self, channel: str, symbol: str) -> bool:
        names = self.subscriptions[channel]
        return symbol in names or "*" in names

    def send(self, *messages: dict[str, Any]) -> None:
        self.outbox.put(codec.encode_control(list(messages), self.packed))

    def refuse(self, code: int, close: bool = False) -> None:
        frame = codec.encode_control([{"T": "error", "code": code, "msg": ERRORS[code]}], self.packed)
        if close:
            self.outbox.finish(frame)
        else:
            self.outbox.put(frame)


class DataStreams:
    """All data connections. `publish` gives every client its part of a batch in as few frames as possible."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._clients: set[Client] = set()

    @property
    def clients(self) -> int:
        return len(self._clients)

    def routes(self) -> list[web.RouteDef]:
        feeds = {
            "/v2/iex": "stocks",
            "/v2/sip": "stocks",
            "/v2/delayed_sip": "stocks",
            "/v2/test": "test",
            "/v1beta3/crypto/us": "crypto",
        }
        return [web.get(path, partial(self._serve, feed=feed), allow_head=False) for path, feed in feeds.items()]

    def drop(self) -> None:
        """Close every connection now."""
        for client in self._clients:
            client.outbox.finish()

    def publish(self, events: Iterable[TapeEvent], minutes: list[Bar], days: list[Bar]) -> None:
        if not self._clients or self._floor.faults.is_muted("data"):
            return
        messages = [_of_event(event) for event in events]
        messages += [("bars", bar.symbol, partial(codec.encode_bar, "b", bar)) for bar in minutes]
        messages += [("dailyBars", bar.symbol, partial(codec.encode_bar, "d", bar)) for bar in days]
        self._send(messages, lambda symbol: "crypto" if "/" in symbol else "stocks")

    def publish_test(self, events: list[TapeEvent], minutes: list[Bar]) -> None:
        """The test feed's own symbol."""
        messages = [_of_event(event) for event in events]
        messages += [("bars", bar.symbol, partial(codec.encode_bar, "b", bar)) for bar in minutes]
        self._send(messages, lambda symbol: "test")

    def _send(self, messages: list[Message], feed_of: Callable[[str], str]) -> None:
        made: dict[tuple[object, ...], list[bytes | str]] = {}
        encoded: dict[tuple[int, bool], bytes] = {}
        counters = self._floor.counters
        sizes: Counter[tuple[object, ...]] = Counter()
        for client in list(self._clients):
            signature = client.signature()
            if signature not in made:
                wanted = [
                    index
                    for index, (channel, symbol, _) in enumerate(messages)
                    if feed_of(symbol) == client.feed and client.wants(channel, symbol)
                ]
                pieces = [_piece(messages, index, client.packed, encoded) for index in wanted]
                made[signature] = codec.frames(pieces, client.packed)
                sizes[signature] = len(pieces)
            for frame in made[signature]:
                self._put(client, frame)
            counters.frames += len(made[signature])
            counters.messages += sizes[signature]

    def _put(self, client: Client, frame: bytes | str) -> None:
        if not client.outbox.put(frame):
            self._floor.counters.slow_clients += 1
            client.refuse(407, close=True)

    async def _serve(self, request: web.Request, feed: str) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False, timeout=1.0)
        if not socket.can_prepare(request).ok:
            return web.json_response({"code": 42610000, "message": "this is a WebSocket end point"}, status=426)
        await socket.prepare(request)
        packed = request.headers.get("Content-Type", "").startswith("application/msgpack")
        client = Client(Outbox(socket, request.transport), feed, packed)
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
        limit = self._floor.options.connection_limit
        if limit and sum(c.key == key and c.feed == client.feed for c in self._clients) >= limit:
            client.refuse(406, close=True)
            return
        client.key = str(key)
        client.send({"T": "success", "msg": "authenticated"})

    def _subscribe(self, client: Client, body: dict[str, Any], add: bool) -> None:
        if not client.is_authenticated:
            client.refuse(401)
            return
        wanted = {channel: names for channel, names in body.items() if channel != "action"}
        if any(channel not in CHANNELS or not _is_names(names) for channel, names in wanted.items()):
            client.refuse(400)
            return
        changed = {channel: set(names) for channel, names in client.subscriptions.items()}
        for channel, names in wanted.items():
            changed[channel] = changed[channel] | set(names) if add else changed[channel] - set(names)
        limit = self._floor.options.symbol_limit
        if add and limit and len(set().union(*changed.values()) - {"*"}) > limit:
            client.refuse(405)
            return
        client.subscriptions = changed
        shown = {channel: sorted(names) for channel, names in changed.items()}
        shown["corrections"] = shown["cancelErrors"] = shown["trades"]
        client.send({"T": "subscription", **shown})


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and len(name) <= 32 for name in value)


def _of_event(event: TapeEvent) -> Message:
    if isinstance(event, Quote):
        return ("quotes", event.symbol, partial(codec.encode_quote, event))
    return ("trades", event.symbol, partial(codec.encode_trade, event))


def _piece(messages: list[Message], index: int, packed: bool, encoded: dict[tuple[int, bool], bytes]) -> bytes:
    key = (index, packed)
    piece = encoded.get(key)
    if piece is None:
        piece = encoded[key] = messages[index][2](packed)
    return piece
