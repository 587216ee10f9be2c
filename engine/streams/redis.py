"""Redis as a carrier: Streams for what must arrive, publish-subscribe for latest values, one thread that writes.

One stream for each family of topics. An entry carries as many messages as were waiting (`packing`), so at high rates
Redis handles one command for many messages. Streams are trimmed to about `keep_entries`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.streams.address import RedisAddress
from engine.streams.base import Frame, HasRoom, Receiver, Take
from engine.streams.kinds import Kind, kind_of
from engine.streams.outbox import Outbox
from engine.streams.packing import packs
from engine.streams.sealing import Seal
from engine.streams.trust import unreadable

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

PING_EVERY = 0.5
"""Seconds without anything to send after which the server is asked whether it is there."""
RETRY_EVERY = 0.25
FIRST_CONNECTION_S = 1.0
"""Seconds that `start` waits for it; later ones connect by themselves."""
FIELD = b"f"


class RedisCarrier:
    """See `streams.base.Carrier`."""

    name = "Redis"
    is_shared = True

    def __init__(
        self, address: RedisAddress, namespace: str, sender: str, seal: Seal | None, reads_in_thread: bool = False
    ) -> None:
        """`reads_in_thread` under Qt, whose event loop is slow with sockets."""
        self._reads_in_thread = reads_in_thread
        self.is_up = False
        self.connections = 0
        self.reason = "Redis has not answered yet."
        self.remedy = ""
        self._address = address
        self._prefix = f"{namespace}:"
        self._sender = sender
        self._seal = seal
        self._outbox = Outbox()
        self._connected = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-writer", daemon=True)

    @property
    def dropped(self) -> int:
        return self._outbox.dropped

    async def start(self) -> None:
        self._thread.start()
        await asyncio.to_thread(self._connected.wait, FIRST_CONNECTION_S)

    def send(self, topic: str, frame: bytes) -> None:
        self._outbox.put((topic, frame))

    def take_unsent(self) -> list[Frame]:
        return self._outbox.take_back(waiting=not self.is_up)

    def poll(self) -> None:
        return

    def receive(self, topics: Sequence[str], group: str | None, take: Take, has_room: HasRoom) -> Receiver:
        from engine.streams.redis_loop_reader import LoopReader
        from engine.streams.redis_readers import GroupReader, StreamReader

        if group is None and not self._reads_in_thread:
            return LoopReader(self._address, self._prefix, topics, take)
        if group is None:
            return StreamReader(self._address, self._prefix, topics, take)
        return GroupReader(self._address, self._prefix, topics, group, self._sender, take, has_room)

    async def close(self) -> None:
        self._stopping.set()
        self._outbox.close()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        from redis import RedisError

        while not self._stopping.is_set():
            client = open_client(self._address)
            try:
                client.ping()
                self._came_up()
                self._write(client)
            except (RedisError, OSError, ValueError) as error:
                self._went_down(error)
                self._stopping.wait(RETRY_EVERY)
            finally:
                client.close()

    def _write(self, client: Redis) -> None:
        """Until the transport is closed; then what still waits is sent."""
        while True:
            frames = self._outbox.take(PING_EVERY)
            if frames:
                self._send(client, frames)
                self._outbox.sent()
            elif self._stopping.is_set():
                return
            else:
                client.ping()

    def _send(self, client: Redis, frames: Sequence[Frame]) -> None:
        pipeline = client.pipeline(transaction=False)
        for name, packed in packs(frames, self._seal):
            key = self._prefix + name
            if kind_of(name) is Kind.LATEST:
                pipeline.publish(key, packed)
            else:
                pipeline.xadd(key, {FIELD: packed}, maxlen=self._address.keep_entries, approximate=True)
        pipeline.execute()

    def _came_up(self) -> None:
        if not self.connections or self.reason:
            log.info("Redis at %s answers", self._address.place)
        self.connections += 1
        self.reason = self.remedy = ""
        self.is_up = True
        self._connected.set()

    def _went_down(self, error: Exception) -> None:
        self.is_up = False
        self.reason, self.remedy = explain(error, self._address)
        self._outbox.fail()


def open_client(address: RedisAddress) -> Redis:
    """No retries of its own: after an interruption the transport decides what is sent again, and where."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis(
        **connection_options(address),
        socket_timeout=address.timeout_s,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def connection_options(address: RedisAddress) -> dict[str, Any]:
    """Arguments of either of redis-py's clients, the blocking and the asynchronous one: where, as whom, how sealed."""
    tls = {"ssl": True, "ssl_ca_certs": address.tls_ca or None} if address.tls else {}
    return {
        "host": address.host,
        "port": address.port,
        "db": address.database,
        "username": address.username or None,
        "password": address.password or None,
        "socket_connect_timeout": address.timeout_s,
        **tls,
    }


def explain(error: Exception, address: RedisAddress) -> tuple[str, str]:
    """What is wrong and what to do, in words."""
    from redis import exceptions

    if address.tls and (missing := unreadable(address.tls_ca, "hub.redis")):
        return missing
    place, text = address.place, str(error)
    if isinstance(error, exceptions.AuthenticationError) or "NOAUTH" in text or "WRONGPASS" in text:
        return (
            f"Redis at {place} refuses the user or the password.",
            "Set [hub.redis] username and password, or REDIS_PASSWORD, as on the server.",
        )
    if "SSL" in text or "certificate" in text.lower():
        return (
            f"The encrypted connection to Redis at {place} failed: {text}",
            "Compare [hub.redis] tls and tls_ca with the server's set-up.",
        )
    if isinstance(error, exceptions.BusyLoadingError):
        return f"Redis at {place} is still loading its data.", "It is used as soon as it is ready."
    if isinstance(error, exceptions.NoPermissionError):
        return f"Redis at {place} does not permit this user: {text}", "Give the user streams and publish-subscribe."
    if isinstance(error, exceptions.ResponseError):
        return f"Redis at {place} refuses: {text}", "Look at the server's memory limit and log."
    if isinstance(error, exceptions.TimeoutError) and address.tls:
        return (
            f"Redis at {place} does not answer over an encrypted connection.",
            "See whether it speaks TLS at that port ([hub.redis] tls), or is overloaded or stopped.",
        )
    if isinstance(error, exceptions.TimeoutError):
        return f"Redis at {place} does not answer.", "See whether it is overloaded or stopped."
    return (
        f"Redis at {place} cannot be reached: {text}",
        "Start it (redis-server), or correct [hub.redis] host and port or REDIS_HOST and REDIS_PORT.",
    )
