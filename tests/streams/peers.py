"""The three ways of the hub, each with a real server, as one thing that the same tests are run over."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zmq

from engine.streams.address import HubAddress, KafkaAddress, RedisAddress, Sharing, private_hub_address
from tests.services import Kafka, Redis
from tests.streams.hub import Hub

WAYS = ("zeromq", "zeromq in a thread", "redis", "redis in a thread", "kafka")


class Way(Hub):
    """A hub whose messages all go one way; `garbage` writes bytes past our own code, as a stranger might."""

    def __init__(self, address: HubAddress, name: str) -> None:
        super().__init__(address)
        self.name = name.split()[0]
        self.reads_in_thread = "thread" in name

    async def garbage(self, topic: str, frames: list[bytes]) -> None:
        """Bytes that are no messages of ours, beside `topic`."""
        await {"zeromq": self._by_zeromq, "redis": self._by_redis, "kafka": self._by_kafka}[self.name](topic, frames)

    async def _by_zeromq(self, topic: str, frames: list[bytes]) -> None:
        with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
            socket.connect(self.address.publish)
            socket.recv()  # the readers' subscriptions
            for frame in frames:
                socket.send(topic.encode() + b"\0" + frame)

    async def _by_redis(self, topic: str, frames: list[bytes]) -> None:
        from redis import Redis as Client

        assert self.address.sharing is not None and self.address.sharing.redis is not None
        with Client(port=self.address.sharing.redis.port) as client:
            for frame in frames:
                client.xadd(f"paddock:{topic}", {"f": frame})

    async def _by_kafka(self, topic: str, frames: list[bytes]) -> None:
        from aiokafka import AIOKafkaProducer

        assert self.address.sharing is not None and self.address.sharing.kafka is not None
        async with AIOKafkaProducer(bootstrap_servers=self.address.sharing.kafka.servers) as producer:
            for frame in frames:
                await producer.send_and_wait(f"paddock.{topic}", frame)


@contextlib.asynccontextmanager
async def running(way: Way) -> AsyncIterator[Way]:
    await way.start()
    try:
        yield way
    finally:
        await way.close()


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Way]:
    sharing = None
    if request.param.startswith("redis"):
        server: Redis = request.getfixturevalue("redis_server")
        sharing = Sharing(redis=RedisAddress(host="127.0.0.1", port=server.port, claim_after_s=1.0))
    elif request.param == "kafka":
        cluster: Kafka = request.getfixturevalue("kafka_cluster")
        sharing = Sharing(kafka=KafkaAddress(servers=cluster.bootstrap, session_s=3.0))
    async with running(Way(private_hub_address(tmp_path / "hub", sharing), request.param)) as way:
        yield way
