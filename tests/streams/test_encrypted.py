"""The hub over encrypted connections to a real Redis and to a Kafka cluster, whose certificates must be right."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.streams.address import KafkaAddress, RedisAddress, Sharing, private_hub_address
from engine.streams.messages import WATCH, Watch
from tests.services import Kafka, Redis, free_port
from tests.streams.hub import Hub, Reader, until
from tests.streams.tls import HOST, Authority, kafka_door

TIMEOUT = 2.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@contextlib.asynccontextmanager
async def hub(path: Path, sharing: Sharing) -> AsyncIterator[Hub]:
    running = Hub(private_hub_address(path, sharing))
    await running.start()
    try:
        yield running
    finally:
        await running.close()


@pytest.fixture(params=["redis", "kafka"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, authority: Authority
) -> AsyncIterator[tuple[str, str, int]]:
    """Which kind, and where it takes encrypted connections."""
    if request.param == "redis":
        folder = tmp_path / "redis"
        folder.mkdir()
        server = Redis(folder, password="right", certificate=authority.certificate, key=authority.key)
        server.start()
        yield "Redis", HOST, server.tls_port
        server.kill()
    else:
        cluster: Kafka = request.getfixturevalue("kafka_cluster")
        async with kafka_door(authority, cluster.port) as port:
            yield "Kafka", HOST, port


def sharing(kind: str, port: int, ca: Path) -> Sharing:
    if kind == "Redis":
        redis = RedisAddress(
            host=HOST, port=port, username="default", password="right", tls=True, tls_ca=str(ca), timeout_s=TIMEOUT
        )
        return Sharing(redis=redis, hold_s=0.2)
    kafka = KafkaAddress(servers=f"{HOST}:{port}", tls=True, tls_ca=str(ca), session_s=3.0, timeout_s=TIMEOUT)
    return Sharing(kafka=kafka, hold_s=0.2)


async def test_messages_go_over_an_encrypted_connection(
    place: tuple[str, str, int], tmp_path: Path, authority: Authority
) -> None:
    kind, _, port = place
    async with hub(tmp_path / "hub", sharing(kind, port, authority.ca)) as shared:
        sender, reading = await shared.transport("sender"), await shared.transport("reader")
        reader = Reader(reading.subscribe([WATCH]))
        await until(lambda: sender.status.name == kind)
        await reader.hears(sender)
        for number in range(1, 501):
            sender.publish(WATCH, Watch(add=[str(number)]))
        await until(lambda: reader.numbers("sender")[-1] == 500)
        assert [number for number in reader.numbers("sender") if number] == list(range(1, 501))
        assert sender.status.name == kind


async def test_a_certificate_of_somebody_else_is_refused_in_words_and_the_embedded_hub_serves(
    place: tuple[str, str, int], tmp_path: Path
) -> None:
    kind, _, port = place
    async with hub(tmp_path / "hub", sharing(kind, port, Authority(tmp_path / "another").ca)) as shared:
        sender, reading = await shared.transport("sender"), await shared.transport("reader")
        reader = Reader(reading.subscribe([WATCH]))
        await until(lambda: "certificate" in sender.status.reason)
        assert f"The encrypted connection to {kind} at {HOST}:{port} failed" in sender.status.reason
        assert "tls_ca" in sender.status.remedy
        await reader.hears(sender)


@pytest.mark.parametrize("file", ["missing", "garbage"])
@pytest.mark.parametrize("kind", ["Redis", "Kafka"])
async def test_an_authority_that_cannot_be_read_is_named(kind: str, file: str, tmp_path: Path) -> None:
    ca = tmp_path / file
    if file == "garbage":
        ca.write_text("no certificate")
    async with hub(tmp_path / "hub", sharing(kind, free_port(), ca)) as shared:
        sender = await shared.transport("sender")
        await until(lambda: str(ca) in sender.status.reason)
        assert f"[hub.{kind.lower()}] tls_ca" in sender.status.remedy
