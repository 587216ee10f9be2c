"""What only the embedded hub does: its proxy is killed and comes back, starts late, and listens where nobody else may."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.clock import SystemClock
from engine.domain.market import Timeframe
from engine.processes.states import ProcessState
from engine.streams import zeromq
from engine.streams.address import HubAddress, loopback_hub_address, private_hub_address
from engine.streams.messages import CANDLES, WATCH, Candles, Watch
from engine.streams.transport import open_hub
from tests.streams.hub import Hub, Reader, until


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(private_hub_address(tmp_path / "hub"))
    await hub.start()
    yield hub
    await hub.close()


async def test_what_is_sent_right_after_the_start_is_not_lost(hub: Hub) -> None:
    early, reading = await hub.transport("early"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(early)
    late = await hub.transport("late")
    late.publish(WATCH, Watch(add=["1"]))
    await until(lambda: reader.numbers("late") == [1])


async def test_guaranteed_messages_survive_a_killed_hub_in_order_and_once(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    counter = itertools.count(1)
    said = 0

    def speak() -> None:
        nonlocal said
        said = next(counter)
        sender.publish(WATCH, Watch(add=[str(said)]))

    await until(lambda: bool(reader.seen), speak)
    hub.kill()
    await hub.supervisor.wait_state("hub", (ProcessState.BACKOFF,), 20)
    for _ in range(100):
        speak()
    await hub.running()
    await until(lambda: reader.numbers("sender")[-1] == said)
    numbers = reader.numbers("sender")
    assert numbers == list(range(numbers[0], said + 1))
    assert reader.subscription.gaps == 0


async def test_what_has_no_guarantee_and_is_lost_with_a_killed_hub_is_counted(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([CANDLES]))
    counter = itertools.count(1)
    said = 0

    def speak() -> None:
        nonlocal said
        said = next(counter)
        sender.publish(CANDLES, Candles(Timeframe.MINUTE_1, []))

    await until(lambda: bool(reader.seen), speak)
    first = said - len(reader.seen)
    hub.kill()
    await hub.supervisor.wait_state("hub", (ProcessState.BACKOFF,), 20)
    for _ in range(100):
        speak()
    await hub.running()
    before = len(reader.seen)
    await until(lambda: len(reader.seen) > before + 10, speak)
    await until(lambda: said - first <= len(reader.seen) + reader.subscription.gaps)


async def test_the_hub_counts_what_it_forwards_as_its_progress(hub: Hub) -> None:
    sender = await hub.transport("sender")

    def progress() -> int:
        row = hub.table.get("hub")
        return row.progress if row is not None else 0

    def speak() -> None:
        sender.publish(WATCH, Watch())

    async with asyncio.timeout(20):
        while progress() < 1:
            speak()
            await hub.supervisor.sample()


async def test_a_transport_that_starts_before_the_hub_finds_it_when_it_comes(tmp_path: Path) -> None:
    hub = Hub(private_hub_address(tmp_path / "hub"))
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await hub.supervisor.start(["hub"])
    await reader.hears(sender)
    await hub.close()


async def test_a_hub_that_listens_but_does_not_forward_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zeromq, "PROBES", 3)
    address = private_hub_address(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(address.publish.removeprefix("ipc://"))
        mute.listen()
        transport = open_hub(address, "alone", SystemClock())
        await transport.start()
        await transport.close()
    assert "does not answer" in caplog.text


def test_the_sockets_are_in_a_folder_only_we_may_enter_and_their_paths_are_short(tmp_path: Path) -> None:
    near = private_hub_address(tmp_path / "hub")
    far = private_hub_address(tmp_path / ("long" * 40))
    assert (tmp_path / "hub").stat().st_mode & 0o777 == 0o700
    for address in (near, far):
        path = Path(address.publish.removeprefix("ipc://"))
        assert len(str(path)) < 100
        assert path.parent.stat().st_mode & 0o077 == 0
    Path(far.publish.removeprefix("ipc://")).parent.rmdir()
    assert msgspec.json.decode(msgspec.json.encode(near), type=HubAddress) == near


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(loopback_hub_address())
    await hub.start()
    yield hub
    await hub.close()


async def test_over_tcp_only_those_with_the_keys_of_this_run_are_heard(
    guarded: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, reading = await guarded.transport("sender"), await guarded.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(sender)
    other_keys = msgspec.structs.replace(guarded.address, curve=loopback_hub_address().curve)
    without = msgspec.structs.replace(guarded.address, curve=None)
    monkeypatch.setattr(zeromq, "PROBES", 5)
    strangers = [open_hub(address, "stranger", SystemClock()) for address in (other_keys, without)]
    assert guarded.address.curve is not None and other_keys.curve is not None
    right_server = msgspec.structs.replace(other_keys.curve, server_public=guarded.address.curve.server_public)
    strangers.append(open_hub(msgspec.structs.replace(other_keys, curve=right_server), "stranger", SystemClock()))
    for stranger in strangers:
        await stranger.start()
        stranger.publish(WATCH, Watch(add=["7"]))
    await reader.hears(sender)
    for stranger in strangers:
        await stranger.close()
    assert reader.numbers("stranger") == []
