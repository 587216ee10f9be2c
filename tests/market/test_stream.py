"""The data stream against servers that misbehave, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from engine.domain.errors import CredentialsError
from engine.market.batch import Batch
from engine.market.frames import decode
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.base import SourceState
from engine.market.sources.grants import MOST_REQUESTS
from tests.market.conftest import exchange
from tests.waiting import until

pack = msgspec.msgpack.encode
TIME = msgspec.msgpack.Ext(-1, (1_700_000_000).to_bytes(4, "big"))
TRADE = {"T": "t", "S": "SPY", "t": TIME, "p": 1.0, "s": 2.0, "i": 7, "new field": [1]}


class Listener:
    def __init__(self, url: str, *symbols: str) -> None:
        self.batches: list[Batch] = []
        self.stream = AlpacaStream("test", url, "key", "secret", seed=1)
        self.stream.symbols = set(symbols)

    async def run(self) -> None:
        async for batch in self.stream:
            self.batches.append(batch)

    @property
    def subscribed(self) -> int:
        return sum(batch.fresh for batch in self.batches)

    @property
    def trades(self) -> list[float]:
        return [trade.price for batch in self.batches for trade in batch.trades]


@asynccontextmanager
async def listening(url: str, *symbols: str) -> AsyncIterator[Listener]:
    listener = Listener(url, *symbols)
    task = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def server(handle: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(handle, "127.0.0.1", 0) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}"


async def greet(socket: ServerConnection, leaves_out: Collection[str] = ()) -> list[Any]:
    """The handshake; gives the client's subscription."""
    await socket.send(pack([{"T": "success", "msg": "connected"}]))
    await socket.recv()
    await socket.send(pack([{"T": "success", "msg": "authenticated"}]))
    request = await socket.recv()
    assert isinstance(request, bytes)
    asked = msgspec.msgpack.decode(request)
    granted = [name for name in asked["trades"] if name not in leaves_out]
    await socket.send(pack([{"T": "subscription", "trades": granted}]))
    names: list[Any] = asked["trades"]
    return names


async def test_garbage_between_good_messages_is_counted_and_costs_nothing_else() -> None:
    garbage: list[bytes | str] = [
        b"", b"\xc1", b"\xff" * 100, "text", pack({"T": "t"}), pack([]), pack([1, None]), pack([{"T": "news"}]),
        b"\xdd\xff\xff\xff\xff", b"\x91" * 5_000, pack([{**TRADE, "p": "x"}, TRADE]), pack([{**TRADE, "t": "now"}]),
    ]  # fmt: skip

    async def handle(socket: ServerConnection) -> None:
        await greet(socket)
        for frame in garbage:
            await socket.send(frame)
        await socket.send(pack([TRADE]))
        await socket.wait_closed()

    async with server(handle) as url, listening(url, "SPY") as found:
        await until(lambda: len(found.trades) == 2)
        assert sum(batch.rejected for batch in found.batches) >= len(garbage) - 2
        assert (found.stream.state, found.stream.reconnects) == (SourceState.SUBSCRIBED, 0)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    decode(data)


async def test_more_symbols_than_allowed_are_given_up_and_the_stream_lives_on() -> None:
    async with exchange(symbol_limit=3, speed=20) as venue, listening(data(venue.url), "SPY", "AAPL") as found:
        await until(lambda: found.stream.state is SourceState.SUBSCRIBED)
        await found.stream.subscribe(["ONE", "MORE"])
        await until(lambda: "405" in found.stream.error)
        assert found.stream.symbols == {"SPY", "AAPL"}
        assert found.stream.refused == {"ONE", "MORE"}
        count = len(found.batches)
        await until(lambda: len(found.batches) > count)
        assert found.stream.reconnects == 0


async def test_a_second_connection_waits_and_says_why() -> None:
    async with exchange(connection_limit=1, speed=20) as venue, listening(data(venue.url), "SPY") as first:
        await until(lambda: first.stream.state is SourceState.SUBSCRIBED)
        async with listening(data(venue.url), "SPY") as second:
            await until(lambda: "406" in second.stream.error)
            assert second.stream.state is not SourceState.SUBSCRIBED


async def test_refused_keys_end_the_stream() -> None:
    async with exchange(keys={"other": "pair"}) as venue:
        with pytest.raises(CredentialsError) as error:
            await asyncio.wait_for(Listener(data(venue.url), "SPY").run(), 10)
    assert error.value.remedy


async def test_a_server_that_hangs_up_at_once_is_tried_again_and_again_subscribed() -> None:
    connections = 0

    async def handle(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        if connections > 2:
            assert await greet(socket) == ["SPY"]
            await socket.send(pack([TRADE]))
            await socket.wait_closed()

    async with server(handle) as url, listening(url, "SPY") as found:
        await until(lambda: found.trades)
        assert (found.stream.reconnects, found.subscribed, found.stream.error) == (2, 1, "")


async def test_a_symbol_left_out_of_the_acknowledgement_is_asked_for_again_until_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.market.sources.grants.FIRST_PAUSE", 0.02)
    monkeypatch.setattr("engine.market.sources.alpaca.LOOK_EVERY", 0.01)
    asked: list[list[str]] = []

    async def handle(socket: ServerConnection) -> None:
        await greet(socket, leaves_out={"QQQ", "IBM"})
        async for request in socket:
            assert isinstance(request, bytes)
            asked.append(msgspec.msgpack.decode(request)["trades"])
            granted = ["SPY", "QQQ"] if len(asked) >= 2 else ["SPY"]
            await socket.send(pack([{"T": "subscription", "trades": granted}]))

    async with server(handle) as url, listening(url, "SPY", "QQQ", "IBM") as found:
        await until(lambda: found.stream.refused)
        assert asked[:2] == [["IBM", "QQQ"]] * 2
        assert asked[2:] == [["IBM"]] * (MOST_REQUESTS - 2)
        assert (found.stream.refused, found.stream.reconnects) == ({"IBM"}, 0)
        await found.stream.unsubscribe(["IBM"])
        assert not found.stream.refused


async def test_a_symbol_that_stays_away_is_told_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.market.sources.grants.FIRST_PAUSE", 0.005)
    monkeypatch.setattr("engine.market.sources.alpaca.LOOK_EVERY", 0.005)

    async def handle(socket: ServerConnection) -> None:
        await greet(socket, leaves_out={"IBM"})
        await socket.send(pack([TRADE]))
        await socket.wait_closed()

    async with server(handle) as url, listening(url, "SPY", "IBM") as found:
        await until(lambda: found.stream.refused == {"IBM"} and found.trades)
        told = [record for record in caplog.records if "does not send IBM" in record.message]
        assert len(told) == 1 and "watch list" in told[0].remedy  # type: ignore[attr-defined]


def data(url: str) -> str:
    return url.replace("http", "ws", 1) + "/v2/iex"
