"""Threads that read from Redis: streams and channels from the moment of subscribing, or one's share of a group's."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from engine.clock import SystemClock
from engine.domain.errors import ConfigurationError
from engine.streams.address import RedisAddress
from engine.streams.base import HasRoom, Take, Token
from engine.streams.kinds import Kind, kind_of
from engine.streams.packing import complete, stream_of, unpack
from engine.streams.redis import FIELD, RETRY_EVERY, open_client
from engine.streams.redis_places import BLOCK_MS, COUNT, Places, id_before

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

ENTRIES_OF_GROUP = 100

Entries = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]


class _Threads:
    """Runs each work in a thread of its own, connects for it and again after every failure."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._stopping = threading.Event()
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._threads: list[threading.Thread] = []

    async def close(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _start(self, work: Callable[[Redis], None]) -> None:
        thread = threading.Thread(target=self._keep, args=(work,), name="redis-reader", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep(self, work: Callable[[Redis], None]) -> None:
        from redis import RedisError

        while not self._stopping.is_set():
            client = open_client(self._address)
            try:
                work(client)
            except (RedisError, OSError, ValueError) as error:
                log.debug("reading from Redis: %s", error)  # the writer tells of it
                self._stopping.wait(RETRY_EVERY)
            finally:
                client.close()

    def _beginning(self, client: Redis) -> bytes:
        """The id before all entries that were made since the subscription, by the server's own time."""
        seconds, micros = client.time()
        return id_before(seconds, micros, self._clock.monotonic() - self._began)


class StreamReader(_Threads):
    """Everything on its topics; see `streams.base.Receiver`."""

    def __init__(self, address: RedisAddress, prefix: str, topics: Sequence[str], take: Take) -> None:
        super().__init__(address)
        self._take = take
        self._topics = tuple(topics)
        self._places = Places(prefix, topics, self._clock)
        if self._places.last:
            self._start(self._read_streams)
        if self._places.channels:
            self._start(self._read_channels)

    async def ack(self, tokens: Sequence[Token]) -> None:
        return

    def _read_streams(self, client: Redis) -> None:
        last: dict[Any, Any] = self._places.last
        if not all(last.values()):
            self._places.begin(*client.time())
        while not self._stopping.is_set():
            found = cast(Entries, client.xread(last, COUNT, BLOCK_MS) or [])
            for key, entries in found:
                for _, fields in entries:
                    self._take(unpack(fields.get(FIELD, b""), self._topics[0]), None, self)
                last[key] = entries[-1][0]

    def _read_channels(self, client: Redis) -> None:
        with client.pubsub(ignore_subscribe_messages=True) as channels:  # type: ignore[no-untyped-call]
            channels.subscribe(*self._places.channels)
            while not self._stopping.is_set():
                said = channels.get_message(timeout=BLOCK_MS / 1e3)
                if said is not None:
                    self._take(unpack(said["data"], self._topics[0]), None, self)


class GroupReader(_Threads):
    """Its share of the entries, and the abandoned ones of dead readers; what is not acknowledged stays pending."""

    def __init__(
        self,
        address: RedisAddress,
        prefix: str,
        topics: Sequence[str],
        group: str,
        consumer: str,
        take: Take,
        has_room: HasRoom,
    ) -> None:
        super().__init__(address)
        self._take = take
        self._has_room = has_room
        self._group = group
        self._consumer = consumer
        self._topics = tuple(topics)
        names = dict.fromkeys(stream_of(complete(topic)) for topic in topics)
        if any(kind_of(name) is Kind.LATEST for name in names):
            raise ConfigurationError("Latest values go to every reader; a group cannot share them.")
        self._keys = [prefix + name for name in names]
        self._acknowledging: Redis | None = None
        self._start(self._read)

    async def ack(self, tokens: Sequence[Token]) -> None:
        """Not acknowledged while Redis is away: then the entry comes again, and its messages are known."""
        await asyncio.to_thread(self._ack, tokens)

    async def close(self) -> None:
        await super().close()
        if self._acknowledging is not None:
            self._acknowledging.close()

    def _ack(self, tokens: Sequence[Token]) -> None:
        from redis import RedisError

        if self._acknowledging is None:
            self._acknowledging = open_client(self._address)
        pipeline = self._acknowledging.pipeline(transaction=False)
        for key in {key for key, _ in tokens}:
            pipeline.xack(key, self._group, *(number for other, number in tokens if other == key))
        try:
            pipeline.execute()
        except (RedisError, OSError) as error:
            log.debug("acknowledging to Redis: %s", error)

    def _read(self, client: Redis) -> None:
        self._join(client)
        claimed = self._clock.monotonic()
        self._claim(client)
        while not self._stopping.is_set():
            if not self._has_room():
                self._stopping.wait(0.01)
                continue
            streams: dict[Any, Any] = dict.fromkeys(self._keys, ">")
            found = client.xreadgroup(self._group, self._consumer, streams, ENTRIES_OF_GROUP, BLOCK_MS)
            for key, entries in cast(Entries, found or []):
                self._give(key, entries)
            if self._clock.monotonic() - claimed > self._address.claim_after_s / 4:
                claimed = self._clock.monotonic()
                self._claim(client)

    def _join(self, client: Redis) -> None:
        from redis import ResponseError

        beginning = self._beginning(client)
        for key in self._keys:
            try:
                client.xgroup_create(key, self._group, beginning, mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def _claim(self, client: Redis) -> None:
        idle = round(self._address.claim_after_s * 1e3)
        for key in self._keys:
            answer = client.xautoclaim(key, self._group, self._consumer, idle, "0-0", ENTRIES_OF_GROUP)
            self._give(key.encode(), cast(Any, answer)[1])

    def _give(self, key: bytes, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for number, fields in entries:
            # An entry that was trimmed while it was pending has no fields any more.
            frames = unpack(fields.get(FIELD, b""), self._topics[0]) if fields else []
            self._take(frames, (key, number), self)
