"""Frames come out whole and in their order, however the network cuts and packs the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from engine.market.sources.connection import LONG, BurstConnection

BODIES = [b"", b"a", b"b" * (LONG - 1), b"c" * LONG, b"d" * 70_000]
bodies = st.sampled_from(BODIES)
kinds = st.sampled_from(["whole", "fragments", "text", "after a ping"])


@asynccontextmanager
async def connected(sent: bytes, pieces: list[int]) -> AsyncIterator[BurstConnection]:
    """To a server that writes `sent` in pieces of those lengths, over and over."""

    async def handle(socket: ServerConnection) -> None:
        at, turn = 0, 0
        while at < len(sent):
            socket.transport.write(sent[at : at + pieces[turn % len(pieces)]])
            at, turn = at + pieces[turn % len(pieces)], turn + 1
            await asyncio.sleep(0)
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(
            f"ws://127.0.0.1:{port}", create_connection=BurstConnection, compression=None, proxy=None
        ) as socket:
            assert isinstance(socket, BurstConnection)
            yield socket


def packed(opcode: Opcode, body: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, body, fin).serialize(mask=False)


def on_the_wire(kind: str, body: bytes) -> bytes:
    match kind:
        case "fragments":
            return packed(Opcode.BINARY, body[:9], fin=False) + packed(Opcode.CONT, body[9:])
        case "text":
            return packed(Opcode.TEXT, body)
        case "after a ping":
            return packed(Opcode.PING, b"there?") + packed(Opcode.BINARY, body)
        case _:
            return packed(Opcode.BINARY, body)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(kinds, bodies), min_size=1, max_size=8), st.lists(st.integers(1, 40_000), min_size=1, max_size=5)
)
def test_frames_come_out_whole_and_in_order(frames: list[tuple[str, bytes]], pieces: list[int]) -> None:
    pieces = [max(piece, 900) if any(len(body) > 1_000 for _, body in frames) else piece for piece in pieces]

    async def read() -> list[bytes | str]:
        found: list[bytes | str] = []
        async with connected(b"".join(on_the_wire(*frame) for frame in frames), pieces) as socket:
            while len(found) < len(frames):
                found += await socket.burst()
        return found

    assert asyncio.run(read()) == [body for _, body in frames]


@pytest.mark.parametrize("spoilt", [b"\x82\xff" + b"\x00" * 8, b"\x82\x7f\x7f" + b"\xff" * 7], ids=["masked", "huge"])
async def test_a_frame_that_no_server_may_send_ends_the_connection(spoilt: bytes) -> None:
    async with connected(packed(Opcode.BINARY, b"good") + spoilt, [3]) as socket:
        assert await socket.burst() == [b"good"]
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.burst()
