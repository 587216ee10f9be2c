"""Clients that cost far less than the server they drive: the same request over plain sockets, or a stream's messages
that are counted and not read.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import msgspec


def post_request(url: str, path: str, headers: dict[str, str], body: object) -> bytes:
    """The bytes of one HTTP/1.1 request on a connection that is kept."""
    payload = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {urlsplit(url).netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(payload)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


class Times:
    """How long answers took, in seconds, and how long was measured."""

    def __init__(self) -> None:
        self.answers: list[float] = []
        self.seconds = 0.0

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.seconds

    def percentile(self, share: int) -> float:
        """Milliseconds."""
        return sorted(self.answers)[len(self.answers) * share // 100] * 1e3


class Caller(asyncio.Protocol):
    """One connection: the next request leaves when the answer to the last one is complete, until `end`."""

    def __init__(self, request: bytes, end: float, times: list[float], done: asyncio.Future[None]) -> None:
        self._request = request
        self._end = end
        self._times = times
        self._done = done
        self._answer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        if b" 200 " not in head[:16]:
            self._done.set_exception(RuntimeError(self._answer.decode()))
            return
        self._times.append(time.perf_counter() - self._sent)
        self._answer = b""
        if time.perf_counter() < self._end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])


async def drive(url: str, request: bytes, seconds: float, times: Times, connections: int = 8) -> None:
    """Send the request on every connection again and again."""
    loop = asyncio.get_running_loop()
    where = urlsplit(url)
    assert where.hostname and where.port
    ends = [loop.create_future() for _ in range(connections)]
    end = time.perf_counter() + seconds
    for done in ends:
        caller = partial(Caller, request, end, times.answers, done)
        await loop.create_connection(caller, where.hostname, where.port)
    await asyncio.gather(*ends)
    times.seconds += seconds


async def listen(url: str, clients: int, seconds: float) -> float:
    """Messages a second that all clients of the data stream together are sent."""
    delivered = 0

    async def one(session: aiohttp.ClientSession, counting: asyncio.Event) -> None:
        nonlocal delivered
        headers = {"Content-Type": "application/msgpack"}
        async with session.ws_connect(url.replace("http", "ws") + "/v2/iex", headers=headers, max_msg_size=0) as socket:
            for said in ({"action": "auth", "key": "k", "secret": "s"}, {"action": "subscribe", **_ALL}):
                await socket.send_bytes(msgspec.msgpack.encode(said))
            async for message in socket:
                if counting.is_set():
                    delivered += _count(message.data)

    async with aiohttp.ClientSession() as session:
        counting = asyncio.Event()
        tasks = [asyncio.create_task(one(session, counting)) for _ in range(clients)]
        await asyncio.sleep(1.0)
        counting.set()
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return delivered / seconds


_ALL = {"trades": ["*"], "quotes": ["*"]}


def _count(frame: bytes) -> int:
    """The length of a msgpack array, from its header."""
    first = frame[0]
    if first == 0xDC:
        return int.from_bytes(frame[1:3], "big")
    return int.from_bytes(frame[1:5], "big") if first == 0xDD else first & 0x0F
