"""Redis is killed, paused, emptied and started again while numbered signals flow between processes: none lost, none twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from engine.streams.address import KafkaAddress, RedisAddress, Sharing, private_hub_address
from engine.streams.messages import QUOTES, SIGNALS, Quotes, QuoteState, Signals
from engine.streams.transport import HubStatus
from tests.services import Kafka, Redis
from tests.streams.hub import Hub, Reader, until

HOLD, SETTLE, TIMEOUT = 0.3, 0.3, 0.5
TALKERS = ("first", "second")


class Talker:
    def __init__(self, hub: Hub, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.talker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(hub.address) + b"\n")
        self._process.stdin.flush()

    async def stop(self) -> int:
        """How many it said."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        return int(await asyncio.to_thread(self._process.stdout.readline))

    async def gone(self) -> None:
        await asyncio.to_thread(self._process.wait, 20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def kill(self) -> None:
        self._process.kill()


class Ear:
    """Hears all signals, and notes where the test's own transport goes."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.changes: list[HubStatus] = []

    def numbers(self, sender: str) -> list[int]:
        return [
            int(signal.signal_id)
            for delivery in self.reader.seen
            if delivery.sender == sender and isinstance(delivery.message, Signals)
            for signal in delivery.message.signals
        ]

    async def flows(self) -> None:
        """Something new came from each."""
        before = {name: len(self.numbers(name)) for name in TALKERS}
        await until(lambda: all(len(self.numbers(name)) > before[name] + 50 for name in TALKERS))

    async def goes(self, name: str) -> None:
        await until(lambda: bool(self.changes) and self.changes[-1].name == name)


@pytest.fixture
async def hub(redis_server: Redis, tmp_path: Path) -> AsyncIterator[Hub]:
    redis = RedisAddress(host="127.0.0.1", port=redis_server.port, timeout_s=TIMEOUT)
    hub = Hub(private_hub_address(tmp_path / "hub", Sharing(redis=redis, hold_s=HOLD, settle_s=SETTLE)))
    await hub.start()
    yield hub
    await hub.close()


async def listen(hub: Hub) -> Ear:
    transport = await hub.transport("ear")
    ear = Ear(Reader(transport.subscribe([SIGNALS])))
    ear.changes.append(transport.status)
    transport.on_change = ear.changes.append
    return ear


async def kill_and_start(server: Redis, ear: Ear) -> None:
    server.kill()
    await ear.goes("ZeroMQ")
    await ear.flows()
    server.start()
    await ear.goes("Redis")


async def pause(server: Redis, ear: Ear) -> None:
    server.pause()
    await ear.goes("ZeroMQ")
    await ear.flows()
    server.resume()
    await ear.goes("Redis")


async def restart_at_once(server: Redis, ear: Ear) -> None:
    server.kill()
    server.start()


async def restart_empty(server: Redis, ear: Ear) -> None:
    server.kill()
    for file in server.folder.rglob("*.aof*"):
        file.unlink()
    server.start()


Trouble = Callable[[Redis, Ear], "asyncio.Future[None]"]


@pytest.mark.parametrize("trouble", [kill_and_start, pause, restart_at_once, restart_empty])
async def test_no_signal_is_lost_and_none_comes_twice(hub: Hub, redis_server: Redis, trouble: Trouble) -> None:
    ear = await listen(hub)
    talkers = [Talker(hub, name) for name in TALKERS]
    try:
        await ear.flows()
        for _ in range(2):
            await trouble(redis_server, ear)
            await ear.flows()
        said = {talker.name: await talker.stop() for talker in talkers}
        await until(lambda: all(ear.numbers(name)[-1] == said[name] for name in TALKERS))
        for talker in talkers:
            await talker.gone()
    finally:
        for talker in talkers:
            talker.kill()
    for name in TALKERS:
        heard = ear.numbers(name)
        assert heard == list(range(heard[0], said[name] + 1))
    assert ear.reader.subscription.gaps == 0


async def test_what_goes_on_is_said_in_words_with_a_remedy(hub: Hub, redis_server: Redis) -> None:
    ear = await listen(hub)
    assert ear.changes[-1] == HubStatus("Redis", "Redis")
    redis_server.kill()
    await ear.goes("ZeroMQ")
    away = ear.changes[-1]
    assert away.preferred == "Redis"
    assert f"Redis at 127.0.0.1:{redis_server.port} cannot be reached" in away.reason
    assert "REDIS_HOST" in away.remedy
    redis_server.start()
    await ear.goes("Redis")
    assert ear.changes[-1].reason == ""


async def test_a_wrong_password_is_told_and_the_embedded_hub_serves(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = Redis(folder, password="right")
    server.start()
    redis = RedisAddress(host="127.0.0.1", port=server.port, password="wrong", timeout_s=TIMEOUT)
    hub = Hub(private_hub_address(tmp_path / "hub", Sharing(redis=redis, hold_s=HOLD)))
    await hub.start()
    try:
        ear = await listen(hub)
        await ear.goes("ZeroMQ")
        assert "refuses the user or the password" in ear.changes[-1].reason
        assert "wrong" not in ear.changes[-1].reason + ear.changes[-1].remedy
        sender = await hub.transport("sender")
        await ear.reader.hears(sender, SIGNALS)
    finally:
        await hub.close()
        server.kill()


async def test_quotes_that_wait_are_merged_to_the_last_of_each_symbol(hub: Hub, redis_server: Redis) -> None:
    sender, reading = await hub.transport("sender"), await hub.transport("reader")
    reader = Reader(reading.subscribe([QUOTES]))
    await until(lambda: bool(reader.seen), lambda: sender.publish(QUOTES, Quotes([])))
    redis_server.kill()
    await until(lambda: sender.status.name == "waiting", lambda: sender.publish(QUOTES, Quotes([])))
    for price in (1.0, 2.0, 3.0):
        for symbol in ("SPY", "QQQ"):
            sender.publish(QUOTES, Quotes([QuoteState(symbol, price, 0, 0, 0, 0, 0, 0, 0)]))
    await until(lambda: isinstance(reader.seen[-1].message, Quotes) and len(reader.seen[-1].message.quotes) == 2)
    message = reader.seen[-1].message
    assert isinstance(message, Quotes)
    assert {quote.symbol: quote.last for quote in message.quotes} == {"SPY": 3.0, "QQQ": 3.0}


async def test_a_paused_kafka_is_bridged_too(kafka_cluster: Kafka, tmp_path: Path) -> None:
    kafka = KafkaAddress(servers=kafka_cluster.bootstrap, timeout_s=TIMEOUT)
    hub = Hub(private_hub_address(tmp_path / "hub", Sharing(kafka=kafka, hold_s=HOLD, settle_s=SETTLE)))
    await hub.start()
    ear = await listen(hub)
    talkers = [Talker(hub, name) for name in TALKERS]
    try:
        await ear.flows()
        kafka_cluster.pause()
        await ear.goes("ZeroMQ")
        await ear.flows()
        kafka_cluster.resume()
        await ear.goes("Kafka")
        await ear.flows()
        said = {talker.name: await talker.stop() for talker in talkers}
        await until(lambda: all(ear.numbers(name)[-1] == said[name] for name in TALKERS))
    finally:
        for talker in talkers:
            talker.kill()
            await talker.gone()
        await hub.close()
    for name in TALKERS:
        heard = ear.numbers(name)
        assert heard == list(range(heard[0], said[name] + 1))
