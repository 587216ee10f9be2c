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

from engine.domain.errors import CredentialsError, PaddockError, UnavailableError
from engine.market.frames import Frame, decode

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
HANDSHAKE_TIMEOUT = 10.0
CATCH_UP_PAUSE = 2.0
CHANNELS = ("trades", "quotes", "bars", "updatedBars")

_AUTH_FAILED = {402, 409, 411}
_TOO_MANY_SYMBOLS = 405
_REMEDIES = {
    _TOO_MANY_SYMBOLS: "Watch fewer symbols; the free plan streams 30.",
    406: "Another program uses these keys' only data connection: close it.",
}


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
        self._granted: set[str] = set()
        """What the venue last said it sends."""

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)
        await self._ask("subscribe", symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)
        await self._ask("unsubscribe", symbols)

    async def run(self) -> None:
        """Raises CredentialsError when the venue refuses keys or subscription; everything else is tried again."""
        pause = FIRST_PAUSE
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            try:
                await self._session()
            except (OSError, websockets.WebSocketException, UnavailableError, TimeoutError) as error:
                self.error = str(error) or "it does not answer"
            if now() - began > LONGEST_PAUSE:
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
                self._granted.clear()
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
            # Data that comes before the acknowledgement is left to the catching up, which reads it over REST.
            frame = decode(_bytes(await socket.recv()))
            for code, message in frame.errors:
                self._refuse(code, message)
            self._note(frame)
            if word in frame.words:
                return

    async def _listen(self, socket: ClientConnection) -> None:
        while True:
            try:
                # Not wait_for: until Python 3.12 it may swallow a cancel that comes with a frame, and never end.
                async with asyncio.timeout(self._silence_limit()):
                    data = await socket.recv()
            except TimeoutError:
                raise UnavailableError(
                    f"{self.name} has been silent for too long while the market is open.",
                    "It is connected anew.",
                ) from None
            frame = decode(_bytes(data))
            for code, message in frame.errors:
                self._heed(code, message)
            self._note(frame)
            self._on_frame(frame)

    async def _catch_up(self) -> None:
        """Until it worked or the connection is gone."""
        while True:
            try:
                return await self._on_subscribed()
            except PaddockError as error:
                log.warning("%s: what was missed cannot be read yet: %s", self.name, error.message)
            await asyncio.sleep(CATCH_UP_PAUSE)

    def _note(self, frame: Frame) -> None:
        if frame.subscribed is not None:
            self._granted = set(frame.subscribed)

    def _heed(self, code: int, message: str) -> None:
        """An error while data flows: the symbols that were one too many are given up, not the stream."""
        if code in _AUTH_FAILED:
            self._refuse(code, message)
        if code == _TOO_MANY_SYMBOLS:
            self.symbols &= self._granted
        self.error = f"{code} {message}"
        log.error("%s: the venue says %s", self.name, self.error, extra={"remedy": _REMEDIES.get(code, "")})

    def _refuse(self, code: int, message: str) -> None:
        if code in _AUTH_FAILED:
            raise CredentialsError(
                f"{self.name}: the venue refused the keys or the subscription ({code} {message}).",
                "Check the keys, and that the account may use this feed: iex is free, sip is not.",
            )
        raise UnavailableError(f"{self.name}: the venue says {code} {message}.", _REMEDIES.get(code, ""))

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
