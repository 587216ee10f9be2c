"""The hub with real parts: a supervised proxy process, real sockets, readers that are slow, a hub that is killed."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from engine.clock import SystemClock
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.streams import zeromq
from engine.streams.base import Delivery
from engine.streams.messages import QUOTES, SIGNALS, WATCH, Watch
from engine.streams.zeromq import HubAddress, ZeromqSubscription, ZeromqTransport, private_hub_address
from engine.views import ProcessRow, Table


class Hub:
    def __init__(self, folder: Path) -> None:
        self.address = private_hub_address(folder)
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(self.table, SystemClock(), log_folder=None, on_event=lambda event: None, seed=1)
        self.supervisor.add(
            ProcessSpec(
                name="hub",
                kind="hub",
                group="system",
                settings=lambda: {"hub": self.address},
                restart=RestartPolicy(first=0.05),
            )
        )
        self.transports: list[ZeromqTransport] = []

    async def running(self) -> None:
        await self.supervisor.wait_state("hub", (ProcessState.RUNNING,), 20)

    async def transport(self, sender: str) -> ZeromqTransport:
        transport = ZeromqTransport(self.address, sender, SystemClock())
        self.transports.append(transport)
        await transport.start()
        return transport

    def kill(self) -> None:
        row = self.table.get("hub")
        assert row is not None
        os.kill(row.pid, signal.SIGKILL)


class Reader:
    """Collects what a subscription delivers."""

    def __init__(self, subscription: ZeromqSubscription) -> None:
        self.subscription = subscription
        self.seen: list[Delivery] = []
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for batch in self.subscription:
            self.seen += batch

    def numbers(self, sender: str) -> list[int]:
        return [int(d.message.add[0]) for d in self.seen if isinstance(d.message, Watch) and d.sender == sender]

    async def hears(self, transport: ZeromqTransport, topic: str = WATCH) -> None:
        """Speak until we are heard: a new subscription takes a moment to reach the senders."""
        before = len(self.seen)
        await until(lambda: len(self.seen) > before, lambda: transport.publish(topic, Watch(add=["0"])))


async def until(condition: Callable[[], bool], act: Callable[[], None] = lambda: None) -> None:
    async with asyncio.timeout(20):
        while not condition():
            act()
            await asyncio.sleep(0.01)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    hub = Hub(tmp_path / "hub")
    await hub.supervisor.start(["hub"])
    await hub.running()
    yield hub
    for transport in hub.transports:
        await transport.close()
    await hub.supervisor.stop_all()


async def test_each_senders_messages_arrive_in_order_and_whole(hub: Hub) -> None:
    one, two, reading = await hub.transport("one"), await hub.transport("two"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(one)
    await reader.hears(two)
    for number in range(1, 5_001):
        for sender in (one, two):
            sender.publish(WATCH, Watch(add=[str(number)]))
    await until(lambda: len(reader.seen) >= 10_000 and reader.numbers("two")[-1] == 5_000)
    for name in ("one", "two"):
        assert [number for number in reader.numbers(name) if number] == list(range(1, 5_001))
    assert (reader.subscription.gaps, reader.subscription.dropped, reader.subscription.invalid) == (0, 0, 0)


async def test_a_reader_gets_only_the_topics_it_asked_for(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([SIGNALS]))
    await reader.hears(sender, SIGNALS)
    sender.publish(QUOTES, Watch())
    await reader.hears(sender, SIGNALS)
    assert {delivery.topic for delivery in reader.seen} == {SIGNALS}


async def test_what_is_sent_right_after_the_start_is_not_lost(hub: Hub) -> None:
    early, reading = await hub.transport("early"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(early)
    late = await hub.transport("late")
    late.publish(WATCH, Watch(add=["1"]))
    await until(lambda: reader.numbers("late") == [1])


async def test_a_slow_reader_loses_the_oldest_and_counts_them(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zeromq, "QUEUE_LIMIT", 100)
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    slow, quick = reading.subscribe([WATCH]), Reader(reading.subscribe([WATCH]))
    deadline = time.monotonic() + 20
    while slow.dropped < 50 and time.monotonic() < deadline:
        sender.publish(WATCH, Watch(add=["1"]))
        await asyncio.sleep(0)
    assert slow.dropped >= 50
    batch = await anext(aiter(slow))
    assert len(batch) <= 100
    await until(lambda: len(quick.seen) >= 100)


async def test_messages_that_never_came_are_counted_as_gaps(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(sender)
    await until(lambda: reader.seen[-1].sender == "sender")
    sender._sequence[WATCH] += 7
    before = len(reader.seen)
    sender.publish(WATCH, Watch(add=["9"]))
    await until(lambda: len(reader.seen) > before)
    assert reader.subscription.gaps == 7


async def test_frames_that_make_no_sense_are_counted_and_harm_nobody(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(sender)
    assert sender._socket is not None
    for frames in ([b"watch", b"\xc1"], [b"watch"], [b"watch", b"", b""], [b"watch\xff", b"x"]):
        sender._socket.send_multipart(frames)
    await until(lambda: reader.subscription.invalid == 4)
    await reader.hears(sender)


async def test_a_killed_hub_is_found_again_and_every_message_arrives_once_or_is_counted(hub: Hub) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    counter = itertools.count(1)

    def speak() -> None:
        sender.publish(WATCH, Watch(add=[str(next(counter))]))

    await until(lambda: bool(reader.seen), speak)
    hub.kill()
    await hub.supervisor.wait_state("hub", (ProcessState.BACKOFF,), 20)
    for _ in range(100):
        speak()
    await hub.running()
    before = len(reader.seen)
    await until(lambda: len(reader.seen) > before + 10, speak)
    numbers = reader.numbers("sender")
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[0] + 1 == len(numbers) + reader.subscription.gaps


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
    hub = Hub(tmp_path / "hub")
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await hub.supervisor.start(["hub"])
    await reader.hears(sender)
    for transport in hub.transports:
        await transport.close()
    await hub.supervisor.stop_all()


async def test_a_hub_that_listens_but_does_not_forward_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zeromq, "PROBES", 3)
    address = private_hub_address(tmp_path / "none")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(address.publish.removeprefix("ipc://"))
        mute.listen()
        transport = ZeromqTransport(address, "alone", SystemClock())
        await transport.start()
        await transport.close()
    assert "does not answer" in caplog.text


async def test_closing_while_somebody_reads_ends_the_reading(hub: Hub) -> None:
    reading = await hub.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await asyncio.sleep(0)
    await reader.subscription.close()
    async with asyncio.timeout(5):
        await reader._task


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
