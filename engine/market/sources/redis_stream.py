"""Market data from a Redis stream, read on from the last entry seen, without a group: each feed needs all of it."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from engine.domain.errors import UnavailableError
from engine.market.sources.shared import Arrival, SharedSource
from engine.streams.address import RedisAddress
from engine.streams.redis import connection_options, explain

if TYPE_CHECKING:
    from redis.asyncio import Redis

FIELD = b"data"
"""The field of an entry that holds a frame."""
COUNT = 500
BLOCK_MS = 500

EntryId = tuple[int, int]
NOWHERE: EntryId = (0, 0)


class RedisStreamSource(SharedSource):
    """See `sources.base`; what the entries hold: engine/market/entries.py."""

    def __init__(self, name: str, address: RedisAddress, stream: str, seed: int | None = None) -> None:
        super().__init__(name, seed)
        self._address = address
        self._stream = stream
        self._last: EntryId | None = None
        """The newest entry that was read, or that was there when we began; None = not connected yet."""

    async def _session(self) -> AsyncGenerator[Arrival, None]:
        from redis import RedisError

        client = _open(self._address)
        try:
            yield Arrival(gap=await self._find_place(client))
            while True:
                arrival = await self._read(client)
                yield arrival
                if arrival.full or not arrival.entries:
                    yield Arrival(gap=await self._find_place(client))
        except (RedisError, OSError, ValueError) as error:
            raise UnavailableError(*explain(error, self._address)) from error
        finally:
            await client.aclose()

    async def _read(self, client: Redis) -> Arrival:
        last = b"%d-%d" % (self._last or NOWHERE)
        found: Any = await client.xread({self._stream: last}, COUNT, BLOCK_MS)
        entries = found[0][1] if found else []
        if entries:
            self._last = _number(entries[-1][0])
        return Arrival([fields.get(FIELD, b"") for _, fields in entries], full=len(entries) == COUNT)

    async def _find_place(self, client: Redis) -> bool:
        """True when entries were trimmed, or the whole stream, before we read them.

        Asked before a read that may lag behind, and when nothing came: while we keep up, what was read may be trimmed.
        """
        oldest: Any = await client.xrange(self._stream, count=1)
        newest: Any = await client.xrevrange(self._stream, count=1)
        first, last = (_number(found[0][0]) if found else NOWHERE for found in (oldest, newest))
        before = self._last
        if before is None:
            self._last = last
            return False
        if last < before:
            self._last = NOWHERE
            return True
        return NOWHERE < before < first


def _number(entry: bytes) -> EntryId:
    time, _, sequence = entry.partition(b"-")
    return int(time), int(sequence)


def _open(address: RedisAddress) -> Redis:
    """No retries of its own: after an interruption the place has to be found again."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis(
        **connection_options(address),
        socket_timeout=address.timeout_s + math.ceil(BLOCK_MS / 1e3),
        retry=Retry(NoBackoff(), 0),
    )
