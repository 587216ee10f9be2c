"""The trade-updates stream at venues that close, refuse, babble: it must come back, and never keep a gap to itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from engine.broker.address import VenueAddress
from engine.broker.base import TradeUpdate
from engine.broker.trade_updates import FIRST_PAUSE, LONGEST_PAUSE, STEADY, StreamState, TradeUpdates, pause_after
from engine.domain.errors import CredentialsError
from tests.broker.venues import stream_venue, welcome, wire_order
from tests.waiting import until


class Ears:
    """Keeps all that is heard; `deaf` makes the next update fail in the hands of its owner."""

    def __init__(self, address: VenueAddress) -> None:
        self.updates: list[TradeUpdate] = []
        self.states: list[tuple[StreamState, str]] = []
        self.deaf = False
        self.stream = TradeUpdates(
            lambda: address, self._hear, lambda state, reason: self.states.append((state, reason)), seed=1
        )

    def _hear(self, update: TradeUpdate) -> None:
        if self.deaf:
            self.deaf = False
            raise RuntimeError("a mistake of ours")
        self.updates.append(update)

    def times(self, state: StreamState) -> int:
        return sum(said is state for said, _ in self.states)


@contextlib.asynccontextmanager
async def listening(ears: Ears) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(ears.stream.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def update(event: str = "new", **fields: object) -> bytes:
    data = {"event": event, "order": wire_order(), "timestamp": "2026-03-16T18:38:02Z", **fields}
    return msgspec.json.encode({"stream": "trade_updates", "data": data})


async def test_what_cannot_be_read_or_taken_in_is_told_and_the_connection_stays() -> None:
    go = asyncio.Event()

    async def speak(socket: ServerConnection) -> None:
        await welcome(socket)
        await go.wait()
        for frame in (update(), update("fill", qty="1"), b"not json", update("canceled")):
            await socket.send(frame)
        await socket.wait_closed()

    async with stream_venue(speak) as address:
        ears = Ears(address)
        async with listening(ears):
            await until(lambda: ears.stream.state is StreamState.LISTENING)
            ears.deaf = True
            go.set()
            await until(lambda: ears.updates)
            assert [heard.event for heard in ears.updates] == ["canceled"]
            assert ears.stream.invalid == 3
            assert ears.times(StreamState.LISTENING) == 4
            assert ears.times(StreamState.DISCONNECTED) == 0
        assert ears.stream.state is StreamState.DISCONNECTED


async def test_a_venue_that_closes_in_good_order_is_told_and_joined_again() -> None:
    async def speak(socket: ServerConnection) -> None:
        await welcome(socket)

    async with stream_venue(speak) as address:
        ears = Ears(address)
        async with listening(ears):
            await until(lambda: ears.times(StreamState.LISTENING) == 2)
            assert ears.times(StreamState.DISCONNECTED) >= 1


async def test_an_answer_that_is_no_verdict_on_the_keys_is_tried_again() -> None:
    first = True

    async def speak(socket: ServerConnection) -> None:
        nonlocal first
        if first:
            first = False
            await socket.recv()
            await socket.send(b'{"stream":"error","data":{"error":"too many connections"}}')
            return
        await welcome(socket)
        await socket.wait_closed()

    async with stream_venue(speak) as address:
        ears = Ears(address)
        async with listening(ears):
            await until(lambda: ears.stream.state is StreamState.LISTENING)
        assert any("too many connections" in reason for _, reason in ears.states)


async def test_keys_that_were_good_once_are_tried_again_and_others_are_not() -> None:
    welcomed = 0

    async def speak(socket: ServerConnection) -> None:
        nonlocal welcomed
        welcomed += 1
        if welcomed != 2:
            await welcome(socket)
            return
        await socket.recv()
        await socket.send(b'{"stream":"authorization","data":{"status":"unauthorized"}}')

    async with stream_venue(speak) as address:
        ears = Ears(address)
        async with listening(ears):
            await until(lambda: ears.times(StreamState.LISTENING) == 2)
        welcomed = 1
        with pytest.raises(CredentialsError):
            await Ears(address).stream.run()


def test_pauses_grow_until_a_connection_has_lasted() -> None:
    pause, pauses = FIRST_PAUSE, []
    for _ in range(10):
        pause = pause_after(pause, lasted=0.1)
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert pause_after(pause, lasted=STEADY) == FIRST_PAUSE
