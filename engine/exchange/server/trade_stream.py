"""The trade-updates stream: what happens to an account's orders, as JSON in binary frames."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from engine.exchange import wire
from engine.exchange.changes import Notice
from engine.exchange.refusals import Refusal
from engine.exchange.server.faults import Armed, FaultKind
from engine.exchange.server.floor import Floor
from engine.exchange.server.outbox import Outbox

AUTH_WAIT = 10.0
MAX_MESSAGE = 64 * 1024

_encode = msgspec.json.Encoder().encode


class Listener:
    """One connection; `account_id` is empty until its keys are accepted."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.account_id = ""
        self.listens = False

    def send(self, stream: str, **data: object) -> None:
        self.outbox.put(_encode({"stream": stream, "data": data}))


class TradeStreams:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._listeners: set[Listener] = set()
        self._kept: list[Notice] = []
        floor.on_notices(self.publish)
        floor.faults.watch("updates", self._faults_changed)

    @property
    def clients(self) -> int:
        return len(self._listeners)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/stream", self._serve, allow_head=False)]

    def drop(self) -> None:
        """Close every connection now."""
        for listener in self._listeners:
            listener.outbox.finish()

    def publish(self, notices: list[Notice]) -> None:
        """Faults meet only what somebody would have heard."""
        if not self._listeners:
            return
        faults = self._floor.faults
        heard = [notice for notice in notices if self._interested(notice)]
        if not heard or (faults.armed and faults.is_muted("trading")):
            return
        for notice in heard:
            armed = faults.for_update() if faults.armed else None
            if armed is None:
                self._send(notice)
            else:
                self._spoil(notice, armed)

    def _spoil(self, notice: Notice, armed: Armed) -> None:
        kind = armed.fault.kind
        if kind is FaultKind.DUPLICATE_UPDATES:
            self._send(notice)
            self._send(notice)
        elif kind is FaultKind.DELAY_UPDATES:
            asyncio.get_running_loop().call_later(armed.fault.seconds, self._send, notice)
        elif kind is FaultKind.REORDER_UPDATES:
            self._kept.append(notice)
            if armed.left == 0:
                self._release()

    def _release(self) -> None:
        """Send what was kept back, the newest first."""
        kept, self._kept = self._kept, []
        for notice in reversed(kept):
            self._send(notice)

    def _faults_changed(self) -> None:
        if not any(armed.fault.kind is FaultKind.REORDER_UPDATES for armed in self._floor.faults.armed):
            self._release()

    def _interested(self, notice: Notice) -> list[Listener]:
        return [x for x in self._listeners if x.listens and x.account_id == notice.account_id]

    def _send(self, notice: Notice) -> None:
        frame = _encode({"stream": "trade_updates", "data": trade_update(notice)})
        for listener in self._interested(notice):
            self._put(listener, frame)

    def _put(self, listener: Listener, frame: bytes) -> None:
        self._floor.counters.messages += 1
        self._floor.counters.frames += 1
        if not listener.outbox.put(frame):
            self._floor.counters.slow_clients += 1
            listener.outbox.finish()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE, compress=False, timeout=1.0)
        if not socket.can_prepare(request).ok:
            return web.json_response({"code": 42610000, "message": "this is a WebSocket end point"}, status=426)
        await socket.prepare(request)
        listener = Listener(Outbox(socket, request.transport))
        self._listeners.add(listener)
        expiry = asyncio.get_running_loop().call_later(AUTH_WAIT, self._expire, listener)
        try:
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._handle(listener, message.data)
        finally:
            expiry.cancel()
            self._listeners.discard(listener)
            await listener.outbox.close()
        return socket

    def _expire(self, listener: Listener) -> None:
        if not listener.account_id:
            listener.outbox.finish()

    def _handle(self, listener: Listener, raw: bytes | str) -> None:
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            body = None
        action = body.get("action") if isinstance(body, dict) else None
        if action in ("authenticate", "auth"):
            self._authenticate(listener, body)
        elif action == "listen":
            self._listen(listener, body)
        else:
            listener.send("error", error="invalid message")

    def _authenticate(self, listener: Listener, body: dict[str, Any]) -> None:
        data = body.get("data")
        found = data if isinstance(data, dict) else body
        key = found.get("key_id") or found.get("key")
        secret = found.get("secret_key") or found.get("secret")
        try:
            account_id = self._floor.account_id(
                key if isinstance(key, str) else "", secret if isinstance(secret, str) else ""
            )
        except Refusal:
            listener.send("authorization", status="unauthorized", action="authenticate")
            return
        listener.account_id = account_id
        listener.send("authorization", status="authorized", action="authenticate")

    def _listen(self, listener: Listener, body: dict[str, Any]) -> None:
        """An empty list ends the subscription; unknown streams are left out of the answer."""
        if not listener.account_id:
            listener.send("authorization", status="unauthorized", action="listen")
            return
        data = body.get("data")
        streams = data.get("streams") if isinstance(data, dict) else None
        if not isinstance(streams, list):
            listener.send("error", error="invalid message")
            return
        listener.listens = "trade_updates" in streams
        listener.send("listening", streams=["trade_updates"] if listener.listens else [])


def trade_update(notice: Notice) -> dict[str, Any]:
    update = notice.update
    data: dict[str, Any] = {
        "event": update.kind.value,
        "timestamp": wire.rfc3339(update.timestamp),
        "order": wire.order(notice.record),
    }
    if update.kind.is_fill:
        data |= {
            "execution_id": update.execution_id,
            "price": wire.number(update.price),
            "qty": wire.number(update.quantity),
            "position_qty": wire.number(notice.position),
        }
    if update.reason:
        data["reason"] = update.reason
    return data
