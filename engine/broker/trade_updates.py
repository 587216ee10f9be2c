"""The trade-updates stream: what happens to our orders, as it happens. It has no replay, so every gap is reported.

Our own client, because alpaca-py's never tells when it was disconnected, and retries refused keys for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect

from engine.broker import wire
from engine.broker.address import VenueAddress
from engine.broker.base import TradeUpdate
from engine.domain.errors import CredentialsError, PaddockError, UnavailableError

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
STEADY = 10.0
"""A connection that lasted this many seconds was a good one; the next pause is the first again."""
HANDSHAKE_TIMEOUT = 10.0
PING_INTERVAL = 5.0
PING_TIMEOUT = 10.0


class StreamState(StrEnum):
    CONNECTING = "CONNECTING"
    LISTENING = "LISTENING"
    DISCONNECTED = "DISCONNECTED"


class TradeUpdates:
    """`run` until cancelled. `on_update` gets each message, `on_state` each change and the reason for it.

    Whenever `on_state` says LISTENING something may have been missed: reconcile by REST.
    """

    def __init__(
        self,
        address: Callable[[], VenueAddress],
        on_update: Callable[[TradeUpdate], None],
        on_state: Callable[[StreamState, str], None],
        seed: int | None = None,
    ) -> None:
        self.state = StreamState.DISCONNECTED
        self.reconnects = 0
        self.invalid = 0
        self._address = address
        self._on_update = on_update
        self._on_state = on_state
        self._chance = random.Random(seed)
        self._was_welcome = False

    async def run(self) -> None:
        """Raises CredentialsError when keys are refused that were never taken; everything else is tried again."""
        pause = FIRST_PAUSE
        try:
            while True:
                began = asyncio.get_running_loop().time()
                reason = await self._until_lost()
                pause = pause_after(pause, asyncio.get_running_loop().time() - began)
                self._change(StreamState.DISCONNECTED, reason)
                self.reconnects += 1
                await asyncio.sleep(pause * (0.5 + self._chance.random()))
        finally:
            self.state = StreamState.DISCONNECTED

    async def _until_lost(self) -> str:
        """Why the connection ended, or did not come about."""
        try:
            await self._session()
        except CredentialsError as error:
            if self._was_welcome:
                # Venues have bad minutes, too; an engine that trades must not stay deaf after one.
                return error.message
            self._change(StreamState.DISCONNECTED, "the keys were refused")
            raise
        except (OSError, websockets.WebSocketException, UnavailableError, TimeoutError) as error:
            return str(error) or type(error).__name__
        return "the venue closed the stream"

    async def _session(self) -> None:
        self._change(StreamState.CONNECTING, "")
        address = self._address()
        options: dict[str, Any] = {"proxy": None} if address.is_loopback else {}
        async with connect(
            address.trade_stream_url,
            open_timeout=HANDSHAKE_TIMEOUT,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            close_timeout=1,
            max_size=4 * 1024 * 1024,
            **options,
        ) as socket:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await self._greet(socket, address)
            self._was_welcome = True
            self._change(StreamState.LISTENING, "")
            async for frame in socket:
                self._take(frame)

    async def _greet(self, socket: ClientConnection, address: VenueAddress) -> None:
        await _say(socket, "authenticate", {"key_id": address.key, "secret_key": address.secret})
        answer = _read(await socket.recv())
        status = _status(answer)
        if status == "":
            raise UnavailableError(f"The stream did not answer to the keys but said {answer!r:.200}")
        if status != "authorized":
            raise CredentialsError(
                f"The venue refused the API keys ({address.key[:4]}…) on the trade-updates stream.",
                "Check that the keys belong to this account: paper and live have different ones.",
            )
        await _say(socket, "listen", {"streams": ["trade_updates"]})
        while True:
            said = _read(await socket.recv())
            if said.get("stream") == "listening":
                return

    def _take(self, frame: str | bytes) -> None:
        try:
            said = _read(frame)
            if said.get("stream") != "trade_updates" or not said.get("data"):
                return
            update = wire.trade_update(said["data"])
        except (ValueError, KeyError, TypeError, AttributeError, PaddockError) as error:
            log.warning("A trade update could not be read: %s", error)
            self._missed("a message could not be read")
            return
        try:
            self._on_update(update)
        except Exception:
            # The connection must outlive a mistake of ours; what was not taken in is asked for again.
            log.exception("A trade update could not be taken in: %s of %s", update.event, update.order.client_order_id)
            self._missed("an update could not be taken in")

    def _missed(self, reason: str) -> None:
        """It may have been a fill: the owner must look."""
        self.invalid += 1
        self._on_state(StreamState.LISTENING, reason)

    def _change(self, state: StreamState, reason: str) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state, reason)


def pause_after(pause: float, lasted: float) -> float:
    """Seconds to wait after a connection that lasted `lasted` seconds, when `pause` was the wait before it."""
    return FIRST_PAUSE if lasted >= STEADY else min(pause * 2, LONGEST_PAUSE)


def _status(answer: dict[str, Any]) -> str:
    data = answer.get("data")
    return str(data.get("status", "")) if answer.get("stream") == "authorization" and isinstance(data, dict) else ""


async def _say(socket: ClientConnection, action: str, data: dict[str, Any]) -> None:
    await socket.send(msgspec.json.encode({"action": action, "data": data}).decode())


def _read(frame: str | bytes) -> dict[str, Any]:
    """Text or binary: the paper venue sends JSON in binary frames."""
    try:
        said: dict[str, Any] = msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnavailableError(f"The stream sent what is not JSON: {error}") from None
    return said
