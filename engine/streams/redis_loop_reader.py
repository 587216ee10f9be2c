"""Reads from Redis on the event loop itself: one wake-up for an entry, where a thread of its own needs two."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.clock import SystemClock
from engine.streams.address import RedisAddress
from engine.streams.base import Take, Token
from engine.streams.packing import unpack
from engine.streams.redis import FIELD, RETRY_EVERY, connection_options
from engine.streams.redis_places import BLOCK_MS, COUNT, Places

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)


class LoopReader:
    """Everything on its topics; see `streams.base.Receiver`. Must be created, and reads, on the running loop."""

    def __init__(self, address: RedisAddress, prefix: str, topics: Sequence[str], take: Take) -> None:
        self._address = address
        self._take = take
        self._topic = topics[0]
        self._places = Places(prefix, topics, SystemClock())
        works: list[Callable[[Redis], Awaitable[None]]] = []
        if self._places.last:
            works.append(self._read_streams)
        if self._places.channels:
            works.append(self._read_channels)
        self._reading = [asyncio.create_task(self._keep(work), name="redis-reader") for work in works]

    async def ack(self, tokens: Sequence[Token]) -> None:
        return

    async def close(self) -> None:
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _keep(self, work: Callable[[Redis], Awaitable[None]]) -> None:
        """Connects for it, and again after every failure."""
        from redis import RedisError

        while True:
            client = open_loop_client(self._address)
            try:
                await work(client)
            except (RedisError, OSError, ValueError) as error:
                log.debug("reading from Redis: %s", error)  # the writer tells of it
                await asyncio.sleep(RETRY_EVERY)
            finally:
                await client.aclose()

    async def _read_streams(self, client: Redis) -> None:
        """By a connection of the client's own: what `xread` does around the question costs as much as the question."""
        from hiredis import pack_command

        last = self._places.last
        if not all(last.values()):
            self._places.begin(*await client.time())
        connection: Any = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        while True:
            question: Any = ("XREAD", "COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", *last, *last.values())
            async with asyncio.timeout(self._address.timeout_s):
                await connection.send_packed_command(pack_command(question), check_health=False)
                found = await connection.read_response()
            for key, entries in found or ():
                for _, fields in entries:
                    packed = dict(zip(fields[::2], fields[1::2], strict=True)).get(FIELD, b"")
                    self._take(unpack(packed, self._topic), None, self)
                last[key] = entries[-1][0]

    async def _read_channels(self, client: Redis) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as channels:
            await channels.subscribe(*self._places.channels)
            async for said in channels.listen():
                self._take(unpack(said["data"], self._topic), None, self)


def open_loop_client(address: RedisAddress) -> Redis:
    """As `redis.open_client`, for the event loop. Answers come in the older protocol, whose lists are read here; how long
    to wait for them is the reader's to say, because the client's own limit makes a task of each question.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis(
        **connection_options(address),
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        protocol=2,
    )
