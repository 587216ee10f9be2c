"""Alpaca's data streams: authenticate, subscribe, yield batches, come back after a loss.

Our own client, because alpaca-py's retries refused keys for ever and deadlocks on subscribing while it runs. A socket
that is open and mute is told from a quiet market by the watchdog, which calls `reconnect`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec
import websockets
from websockets.asyncio.client import connect

from engine.domain.errors import CredentialsError, UnavailableError
from engine.market.batch import Batch
from engine.market.frames import Frame, decode
from engine.market.packed.decoder import Decoder
from engine.market.sources.base import SourceState
from engine.market.sources.connection import MAX_SIZE, BurstConnection
from engine.market.sources.grants import MOST_REQUESTS, Grants
from engine.market.sources.overload import Overload
from engine.market.sources.pauses import Pauses

log = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT = 10.0
ANSWER_TIMEOUT = 10.0
CHANNELS = ("trades", "quotes", "bars", "updatedBars")
TOGETHER = 64 * 1024
"""Bytes of one batch, more or less: what is decoded together should fit the processor's cache."""

LOOK_EVERY = 0.5
"""Seconds between two looks at what is missing."""
_NOT_SENT = "Take them off the watch list, or see whether the account's plan has them; REST still knows their past."
_AUTH_FAILED = {402, 409, 411}
_TOO_MANY_SYMBOLS = 405
_REMEDIES = {
    _TOO_MANY_SYMBOLS: "Watch fewer symbols; the free plan streams 30.",
    406: "Another program uses these keys' only data connection: close it.",
    407: "This computer is too slow for so many symbols: watch fewer.",
}


class AlpacaStream:
    """A source, see `sources.base`. `seed` makes the jitter of the pauses repeatable."""

    has_quotes = True

    def __init__(self, name: str, url: str, key: str, secret: str, seed: int | None = None) -> None:
        self.name = name
        self.state = SourceState.DISCONNECTED
        self.symbols: set[str] = set()
        self.reconnects = 0
        self.error = ""
        self._url = url
        self._key = key
        self._secret = secret
        self._pauses = Pauses(seed)
        self._decoder = Decoder()
        self._overload = Overload()
        self._socket: BurstConnection | None = None
        self._grants = Grants()
        self._leaving = ""

    @property
    def conflated(self) -> int:
        return self._overload.conflated

    @property
    def shed(self) -> Mapping[str, int]:
        return self._overload.shed

    @property
    def refused(self) -> set[str]:
        return self._grants.refused

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)
        await self._ask("subscribe", symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)
        self._grants.forget(symbols)
        await self._ask("unsubscribe", symbols)

    def reconnect(self, reason: str) -> None:
        self._leaving = reason
        if self._socket is not None:
            self._socket.transport.abort()

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Raises CredentialsError when the venue refuses keys or subscription; everything else is tried again."""
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            try:
                async with contextlib.aclosing(self._session()) as batches:
                    async for batch in batches:
                        yield batch
            except (OSError, websockets.WebSocketException, UnavailableError, TimeoutError) as error:
                self.error = self._leaving or str(error) or "it does not answer"
            self._leaving = ""
            self.state = SourceState.DISCONNECTED
            log.warning("%s: connection lost: %s", self.name, self.error)
            self.reconnects += 1
            await asyncio.sleep(self._pauses.after(now() - began))

    async def _session(self) -> AsyncGenerator[Batch, None]:
        self.state = SourceState.CONNECTING
        loopback = "//127.0.0.1" in self._url or "//localhost" in self._url
        options: dict[str, Any] = {"proxy": None} if loopback else {}
        async with connect(
            self._url,
            create_connection=BurstConnection,
            additional_headers={"Content-Type": "application/msgpack"},
            compression=None,
            open_timeout=HANDSHAKE_TIMEOUT,
            ping_interval=5,
            ping_timeout=10,
            close_timeout=1,
            max_size=MAX_SIZE,
            **options,
        ) as socket:
            assert isinstance(socket, BurstConnection)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                early = await self._greet(socket)
            self._socket = socket
            self.state, self.error = SourceState.SUBSCRIBED, ""
            insisting = asyncio.create_task(self._insist(), name=f"{self.name}: ask again")
            try:
                early.fresh = True
                yield early
                while True:
                    frames = await socket.burst()
                    together = 1 + TOGETHER * len(frames) // max(1, sum(map(len, frames)))
                    for first in range(0, len(frames), together):
                        yield self._batch(socket, frames[first : first + together])
            finally:
                insisting.cancel()
                self._socket = None
                self._grants.lost()

    async def _greet(self, socket: BurstConnection) -> Frame:
        """Returns what came with the acknowledgement of the subscription."""
        await self._expect(socket, "connected")
        await _send(socket, {"action": "auth", "key": self._key, "secret": self._secret})
        await self._expect(socket, "authenticated")
        await self._request(socket, "subscribe", self.symbols)
        return await self._expect(socket, "subscription")

    async def _expect(self, socket: BurstConnection, word: str) -> Frame:
        while True:
            frame = decode(*await socket.burst())
            for code, message in frame.errors:
                self._refuse(code, message)
            self._note(frame)
            if word in frame.words:
                return frame

    def _batch(self, socket: BurstConnection, frames: list[bytes | str]) -> Batch:
        frame = self._decoder.decode(frames)
        frame.received_at = socket.received_at
        for code, message in frame.errors:
            self._heed(code, message)
        if frame.subscribed is not None:
            self._note(frame)
        self._overload.look(frame, socket.full, socket.received_at)
        return frame

    def _note(self, frame: Frame) -> None:
        """Keep what the venue says it sends."""
        if frame.subscribed is not None:
            self._grants.told(frame.subscribed)

    async def _insist(self) -> None:
        """Ask again for what is missing, and say so when it stays away."""
        now = asyncio.get_running_loop().time
        while True:
            again, given_up = self._grants.due(self.symbols, now())
            if again:
                log.info("%s: asking again for %s", self.name, ", ".join(again))
                await self._ask("subscribe", again)
            if given_up:
                log.error(
                    "%s: the venue does not send %s, asked for %d times.",
                    self.name, ", ".join(given_up), MOST_REQUESTS + 1, extra={"remedy": _NOT_SENT},
                )  # fmt: skip
            await asyncio.sleep(LOOK_EVERY)

    def _heed(self, code: int, message: str) -> None:
        """An error while data flows: the symbols that were one too many are given up, not the stream."""
        if code in _AUTH_FAILED:
            self._refuse(code, message)
        if code == _TOO_MANY_SYMBOLS:
            self._grants.refuse(self.symbols - self._grants.granted)
            self.symbols &= self._grants.granted
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

    async def _request(self, socket: BurstConnection, action: str, symbols: Iterable[str]) -> None:
        names = sorted(symbols)
        await _send(socket, {"action": action, **dict.fromkeys(CHANNELS, names)})


async def _send(socket: BurstConnection, message: dict[str, Any]) -> None:
    await socket.send(msgspec.msgpack.encode(message))
