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
HANDSHAKE_TIMEOUT = 10.0
PING_INTERVAL = 5.0
PING_TIMEOUT = 10.0


class StreamState(StrEnum):
    CONNECTING = "CONNECTING"
    LISTENING = "LISTENING"
    DISCONNECTED = "DISCONNECTED"


class TradeUpdates:
    """`run` until cancelled. `on_update` gets each message, `on_state` each change: after LISTENING reconcile by REST."""

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

    async def run(self) -> None:
        """Raises CredentialsError when the keys are refused; everything else is tried again."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._session()
                pause = FIRST_PAUSE
            except CredentialsError:
                self._change(StreamState.DISCONNECTED, "the keys were refused")
                raise
            except (OSError, websockets.WebSocketException, UnavailableError, TimeoutError) as error:
                if self.state is StreamState.LISTENING:
                    pause = FIRST_PAUSE
                self._change(StreamState.DISCONNECTED, str(error) or type(error).__name__)
            self.reconnects += 1
            await asyncio.sleep(pause * (0.5 + self._chance.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

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
            self._change(StreamState.LISTENING, "")
            async for frame in socket:
                self._take(frame)
        self._change(StreamState.DISCONNECTED, "the venue closed the stream")

    async def _greet(self, socket: ClientConnection, address: VenueAddress) -> None:
        await _say(socket, "authenticate", {"key_id": address.key, "secret_key": address.secret})
        answer = _read(await socket.recv()).get("data") or {}
        if answer.get("status") != "authorized":
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
            # It may have been a fill: the owner must look.
            self.invalid += 1
            log.warning("A trade update could not be read: %s", error)
            self._on_state(StreamState.LISTENING, "a message could not be read")
            return
        self._on_update(update)

    def _change(self, state: StreamState, reason: str) -> None:
        if state is not self.state:
            self.state = state
            self._on_state(state, reason)


async def _say(socket: ClientConnection, action: str, data: dict[str, Any]) -> None:
    await socket.send(msgspec.json.encode({"action": action, "data": data}).decode())


def _read(frame: str | bytes) -> dict[str, Any]:
    """Text or binary: the paper venue sends JSON in binary frames."""
    try:
        said: dict[str, Any] = msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnavailableError(f"The stream sent what is not JSON: {error}") from None
    return said
