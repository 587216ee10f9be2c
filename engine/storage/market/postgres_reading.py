"""Reads bars from PostgreSQL: a connection of its own, opened again at the next question after it was lost."""

from __future__ import annotations

import asyncio

import asyncpg

from engine.domain.errors import UnavailableError
from engine.domain.market import Bar, Timeframe
from engine.storage.market.address import MarketAddress
from engine.storage.market.postgres import connect, explain
from engine.storage.market.reading import as_bar, query


class PostgresReader:
    """See BarReader. Questions that come together are answered one after another."""

    def __init__(self, address: MarketAddress) -> None:
        self._address = address
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()

    async def bars(self, symbol: str, timeframe: Timeframe, start: int, end: int) -> list[Bar]:
        try:
            async with self._lock:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await connect(self._address)
                rows = await self._connection.fetch(query("$1", "$2", "$3", "$4"), symbol, timeframe.value, start, end)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            told = explain(error, self._address)
            raise told or UnavailableError(
                f"The market database {self._address.shown} cannot be read: {error}.", "Start the recorder."
            ) from error
        return [as_bar(symbol, timeframe, tuple(row)) for row in rows]

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
