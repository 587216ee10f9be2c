"""One connection to one of Alpaca's data streams: authenticate, subscribe, deliver frames, come back after a loss.

Our own client, because alpaca-py's retries refused keys for ever and deadlocks on subscribing while it runs. A socket
that is open and mute is told from a quiet market by the silence limit, which holds while the market is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Any

import msgspec
import websockets
from websockets.asyncio.client import ClientConnection, connect

from engine.domain.errors import CredentialsError, UnavailableError
from engine.market.frames import Frame, decode

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
HANDSHAKE_TIMEOUT = 10.0
CHANNELS = ("trades", "quotes", "bars", "updatedBars")

_AUTH_FAILED = {402, 409, 411}
_TOO_MANY_CONNECTIONS = 406


class StreamState(StrEnum):
    DISCONNECTED = "DISCONNECTED"
    CONNECTING = "CONNECTING"
    SUBSCRIBED = "SUBSCRIBED"


class DataStream:
    """`run` until cancelled. `on_frame` gets every frame with data, `on_subscribed` is awaited after each (re)connect."""

    def __init__(
        self,
        name: str,
        url: str,
        key: str,
        secret: str,
        on_frame: Callable[[Frame], None],
        on_subscribed: Callable[[], Awaitable[None]],
        silence_limit: Callable[[], float | None],
        seed: int | None = None,
    ) -> None:
        self.name = name
        self.state = StreamState.DISCONNECTED
        self.symbols: set[str] = set()
        self.reconnects = 0
        self.error = ""
        self._url = url
        self._key = key
        self._secret = secret
        self._on_frame = on_frame
        self._on_subscribed = on_subscribed
        self._silence_limit = silence_limit
        self._chance = random.Random(seed)
        self._socket: ClientConnection | None = None

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)
        await self._ask("subscribe", symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)
        await self._ask("unsubscribe", symbols)

    async def run(self) -> None:
        """Raises CredentialsError when the venue refuses keys or subscription; everything else is tried again."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._session()
            except (OSError, websockets.WebSocketException, UnavailableError, TimeoutError) as error:
                self.error = str(error) or "it does not answer"
            if self.state is StreamState.SUBSCRIBED:
                pause = FIRST_PAUSE
            self.state = StreamState.DISCONNECTED
            log.warning("%s: connection lost: %s", self.name, self.error)
            self.reconnects += 1
            await asyncio.sleep(pause * (0.5 + self._chance.random()))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _session(self) -> None:
        self.state = StreamState.CONNECTING
        loopback = "//127.0.0.1" in self._url or "//localhost" in self._url
        options: dict[str, Any] = {"proxy": None} if loopback else {}
        async with connect(
            self._url,
            additional_headers={"Content-Type": "application/msgpack"},
            open_timeout=HANDSHAKE_TIMEOUT,
            ping_interval=5,
            ping_timeout=10,
            close_timeout=1,
            max_size=16 * 1024 * 1024,
            **options,
        ) as socket:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await self._greet(socket)
            self._socket = socket
            self.state, self.error = StreamState.SUBSCRIBED, ""
            caught_up = asyncio.create_task(self._catch_up())
            try:
                await self._listen(socket)
            finally:
                self._socket = None
                caught_up.cancel()
                await asyncio.gather(caught_up, return_exceptions=True)

    async def _greet(self, socket: ClientConnection) -> None:
        await self._expect(socket, "connected")
        await _send(socket, {"action": "auth", "key": self._key, "secret": self._secret})
        await self._expect(socket, "authenticated")
        await self._request(socket, "subscribe", self.symbols)
        await self._expect(socket, "subscription")

    async def _expect(self, socket: ClientConnection, word: str) -> None:
        while True:
            frame = decode(_bytes(await socket.recv()))
            self._heed(frame.errors)
            if frame.trades or frame.quotes or frame.minutes:
                self._on_frame(frame)
            if word in frame.words:
                return

    async def _listen(self, socket: ClientConnection) -> None:
        while True:
            try:
                data = await asyncio.wait_for(socket.recv(), self._silence_limit())
            except TimeoutError:
                raise UnavailableError(
                    f"{self.name} has been silent for too long while the market is open.",
                    "It is connected anew.",
                ) from None
            frame = decode(_bytes(data))
            self._heed(frame.errors)
            self._on_frame(frame)

    async def _catch_up(self) -> None:
        try:
            await self._on_subscribed()
        except UnavailableError as error:
            log.warning("%s: what was missed could not be read: %s", self.name, error.message)

    def _heed(self, errors: list[tuple[int, str]]) -> None:
        for code, message in errors:
            if code in _AUTH_FAILED:
                raise CredentialsError(
                    f"{self.name}: the venue refused the keys or the subscription ({code} {message}).",
                    "Check the keys, and that the account may use this feed: iex is free, sip is not.",
                )
            if code == _TOO_MANY_CONNECTIONS:
                raise UnavailableError(
                    f"{self.name}: another program uses these keys' only data connection.", "Close it."
                )
            log.warning("%s: the venue says %s %s", self.name, code, message)
            self.error = f"{code} {message}"

    async def _ask(self, action: str, symbols: Iterable[str]) -> None:
        if self._socket is not None:
            with contextlib.suppress(websockets.ConnectionClosed):  # the reconnect subscribes to all there are
                await self._request(self._socket, action, symbols)

    async def _request(self, socket: ClientConnection, action: str, symbols: Iterable[str]) -> None:
        names = sorted(symbols)
        await _send(socket, {"action": action, **dict.fromkeys(CHANNELS, names)})


async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
    await socket.send(msgspec.msgpack.encode(message))


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
