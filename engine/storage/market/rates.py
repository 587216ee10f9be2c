"""The highest rate of messages that the feeds have recorded within stretches of time; a question now and then."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from engine.domain.errors import UnavailableError
from engine.domain.spans import Span
from engine.storage import sqlite_files
from engine.storage.market.address import MarketAddress

WINDOW_S = 10
"""Seconds over which a rate is averaged: a burst of one second is what queues are for."""
CONNECT_TIMEOUT = 5.0
REMEDY = "The forecast is a guess meanwhile; see the recorder under Processes."


def query(start: str, end: str) -> str:
    """`start` and `end` stand for the stretch. Each feed tells its rate once a second."""
    return (
        f"SELECT max(total) FROM (SELECT sum(value) / {WINDOW_S} AS total FROM system_metrics"
        f" WHERE name = 'message_rate' AND process LIKE 'feed%' AND timestamp >= {start} AND timestamp < {end}"
        f" GROUP BY timestamp / {WINDOW_S * 1_000_000_000}) AS windows"
    )


async def highest_rates(address: MarketAddress, spans: Sequence[Span]) -> list[float]:
    """Messages/s of all feeds together, one for each stretch in which something was recorded.

    Raises UnavailableError when the database is away or was never written.
    """
    if address.is_postgres:
        return await _of_server(address, spans)
    return await asyncio.to_thread(_of_file, Path(address.path), spans)


def _of_file(path: Path, spans: Sequence[Span]) -> list[float]:
    if not path.is_file():
        return []
    try:
        with contextlib.closing(sqlite_files.open_to_read(path)) as database:
            found = [database.execute(query("?", "?"), span).fetchone()[0] for span in spans]
    except sqlite3.Error as error:
        raise UnavailableError(f"The recorded rates in {path} cannot be read: {error}.", REMEDY) from error
    return [rate for rate in found if rate is not None]


async def _of_server(address: MarketAddress, spans: Sequence[Span]) -> list[float]:
    # Not by postgres.py, which brings SQLAlchemy; and not here, where the event loop would stand still meanwhile.
    asyncpg = await asyncio.to_thread(importlib.import_module, "asyncpg")

    try:
        connection = await asyncpg.connect(address.url, timeout=CONNECT_TIMEOUT, command_timeout=CONNECT_TIMEOUT)
        try:
            found = [await connection.fetchval(query("$1", "$2"), *span) for span in spans]
        finally:
            await connection.close(timeout=CONNECT_TIMEOUT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UnavailableError(f"The recorded rates in {address.shown} cannot be read: {error}.", REMEDY) from error
    return [float(rate) for rate in found if rate is not None]
