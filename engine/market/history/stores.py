"""The history of bars as a process uses it: which stores there are, joined in the order in which they are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from engine.clock import Clock
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.history.sources import BarKeeper, BarSource, BrokerSource, DatabaseSource, LakeSource
from engine.market.venue import VenueData
from engine.storage.lake.address import LakeAddress, open_lake
from engine.storage.market.address import MarketAddress
from engine.storage.market.reading import bar_reader
from engine.streams.address import RedisAddress
from engine.streams.redis import connection_options

if TYPE_CHECKING:
    import redis.asyncio


class HistoryStores(msgspec.Struct, frozen=True, kw_only=True):
    """What there is besides memory and the broker. Without any, as for the built-in exchange, only these two are asked.

    `scope` keeps apart in a shared Redis what must not mix, such as the environments of several installations.
    """

    scope: str = ""
    redis: RedisAddress | None = None
    database: MarketAddress | None = None
    lake: LakeAddress | None = None


@asynccontextmanager
async def open_history(clock: Clock, rest: VenueData, feed: str, stores: HistoryStores) -> AsyncIterator[BarHistory]:
    """Nothing is connected before it is asked. Raises ConfigurationError for a lake that cannot be."""
    sources: list[BarSource] = []
    keepers: list[BarKeeper] = []
    async with AsyncExitStack() as opened:
        client = None if stores.redis is None else _client(stores.redis)
        if client is not None:
            opened.push_async_callback(client.aclose)
        if stores.database is not None:
            reader = bar_reader(stores.database)
            opened.push_async_callback(reader.close)
            sources.append(DatabaseSource(reader))
        if stores.lake is not None:
            lake = LakeSource(open_lake(stores.lake, feed))
            sources.append(lake)
            keepers.append(lake)
        sources.append(BrokerSource(rest))
        yield BarHistory(ChunkCache(clock, f"{stores.scope}:{feed}", client), sources, keepers)


def _client(address: RedisAddress) -> redis.asyncio.Redis:
    # Imported here because most installations have no Redis.
    import redis.asyncio

    return redis.asyncio.Redis(**connection_options(address))
