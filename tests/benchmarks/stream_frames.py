"""Recorded-looking frames of Alpaca's data stream, and a server that sends them over a real socket from another process."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve

SYMBOLS = [f"SYM{n}" for n in range(12)]
STEP = 100_000
"""Nanoseconds of the tape from one message to the next: a market of 10,000 messages a second."""
CHUNK = 128 * 1024
_pack = msgspec.msgpack.Encoder().encode


def message(number: int, start: int, step: int) -> dict[str, Any]:
    """Half trades, half quotes, of all symbols in turn."""
    at = start + number * step
    stamp = (at % 1_000_000_000 << 34) | at // 1_000_000_000
    symbol, time_ = SYMBOLS[number % 12], msgspec.msgpack.Ext(-1, stamp.to_bytes(8, "big"))
    if number // 12 % 2:
        return {"T": "q", "S": symbol, "bx": "V", "bp": 99.9, "bs": 1, "ax": "V", "ap": 100.7, "as": 2, "c": ["R"], "z": "C", "t": time_}  # fmt: skip
    return {"T": "t", "S": symbol, "i": number + 1, "x": "V", "p": 100 + number % 7 / 10, "s": 100, "c": ["@"], "z": "C", "t": time_}  # fmt: skip


def frame(first: int, count: int, start: int, step: int = STEP) -> bytes:
    """A WebSocket frame with that many messages."""
    payload = _pack([message(number, start, step) for number in range(first, first + count)])
    length = len(payload)
    if length < 126:
        return b"\x82" + bytes([length]) + payload
    return b"\x82\x7e" + length.to_bytes(2, "big") + payload


class StreamServer:
    """`with StreamServer(messages, batch, rate) as url`; a rate of 0 is as fast as the client reads. `messages` are sent
    `cycles` times, the tape going on by `step` nanoseconds a message; it ends now where a step is longer than STEP.
    """

    def __init__(self, messages: int, batch: int, rate: int = 0, cycles: int = 1, step: int = STEP) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, messages, batch, rate, cycles, step))

    def __enter__(self) -> str:
        self._process.start()
        url: str = self._pipe.recv()
        return url

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, messages: int, batch: int, rate: int, cycles: int, step: int) -> None:
    asyncio.run(_run(pipe, messages, batch, rate, cycles, step))


async def _run(pipe: Connection, messages: int, batch: int, rate: int, cycles: int, step: int) -> None:
    start = time.time_ns() - (step - STEP) * messages * cycles
    frames = [frame(first, batch, start) for first in range(0, messages, batch)] if cycles == 1 else []

    async def handle(socket: ServerConnection) -> None:
        await socket.send(_pack([{"T": "success", "msg": "connected"}]))
        await socket.recv()
        await socket.send(_pack([{"T": "success", "msg": "authenticated"}]))
        await socket.recv()
        await socket.send(_pack([{"T": "subscription", "trades": SYMBOLS, "quotes": SYMBOLS}]))
        await asyncio.sleep(0.3)
        if rate:
            await _paced(socket, frames, rate / batch)
        elif cycles == 1:
            await _flood(socket, frames)
        else:
            for cycle in range(cycles):
                first = cycle * messages
                await _flood(socket, (frame(at, batch, start, step) for at in range(first, first + messages, batch)))
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, write_limit=4 * CHUNK) as server:
        pipe.send(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v2/iex")
        await asyncio.Event().wait()


async def _flood(socket: ServerConnection, frames: Iterable[bytes]) -> None:
    """Straight to the transport, because the server is not what is measured."""
    waiting, size = [], 0
    for data in frames:
        waiting.append(data)
        size += len(data)
        if size > CHUNK:
            await _write(socket, waiting)
            waiting, size = [], 0
    await _write(socket, waiting)


async def _write(socket: ServerConnection, frames: list[bytes]) -> None:
    socket.transport.write(b"".join(frames))
    await asyncio.sleep(0)  # a ping of the client must be answered while frames are made
    await socket.drain()  # asleep: a server that looks again and again takes half a core from the client


async def _paced(socket: ServerConnection, frames: list[bytes], per_second: float) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = 0
    while sent < len(frames):
        due = min(int((loop.time() - began) * per_second) + 1, len(frames))
        if due > sent:
            socket.transport.write(b"".join(frames[sent:due]))
            sent = due
        await asyncio.sleep(0.0005)
