"""What the recorder and `paddock db` ask of a market database, whichever it is, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from engine.domain.errors import ConfigurationError, DataError, UnavailableError
from engine.storage.market.address import MarketAddress
from engine.storage.market.backlog import Batch


class DatabaseFullError(UnavailableError):
    """The disk has no room: nothing is written until there is."""


class RefusedRowsError(DataError):
    """The database will never take these rows, however often they are given."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What `paddock db status` shows. `version` is None in an empty database; `rows` may be an estimate of the server's."""

    where: str
    kind: str
    """SQLite, PostgreSQL or PostgreSQL with TimescaleDB"""
    version: str | None
    size_bytes: int
    rows: dict[str, int]


class Store(Protocol):
    """Used by one task. Every method raises UnavailableError when the database is away or locked."""

    async def open(self, *, upgrade: bool = True) -> None:
        """Connects, and brings the database to this version's form. Raises DataError for what is no such database."""
        ...

    async def write(self, batch: Batch) -> int:
        """All or nothing; how many rows. Idempotent: rows of the same key replace each other, newest revision last.

        Raises DatabaseFullError, RefusedRowsError.
        """
        ...

    async def expire(self, days: Mapping[str, int], now: int) -> dict[str, int]:
        """Removes what is older than the days kept, 0 = for ever; rows removed by table.

        It takes a second at most: what is left goes at the next call, so call until nothing was removed.
        """
        ...

    async def size(self) -> int:
        """Bytes."""
        ...

    async def state(self) -> State: ...

    async def close(self) -> None: ...


def open_store(address: MarketAddress) -> Store:
    """Not yet connected. Raises ConfigurationError when the driver is not installed."""
    if not address.is_postgres:
        from engine.storage.market.sqlite import SqliteStore

        return SqliteStore(address.path)
    try:
        from engine.storage.market.postgres import PostgresStore
    except ImportError:
        raise ConfigurationError(
            "The market database is on PostgreSQL and its driver is not installed.",
            "Install it: pip install 'paddock[postgres]'; or leave market_database.url empty.",
        ) from None
    return PostgresStore(address)
