"""The market database in a file: SQLite, WAL with synchronous=NORMAL.

A power cut may cost the last second, never the file. Each call runs in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.domain.errors import DataError, UnavailableError
from engine.storage.market import schema
from engine.storage.market.backlog import Batch
from engine.storage.market.rows import KEYS
from engine.storage.market.store import DatabaseFullError, RefusedRowsError, State
from engine.storage.market.tables import TABLES, upsert

BUSY_TIMEOUT = 2.0
MIGRATION_TIMEOUT = 60.0
SLICE = 20_000
CHUNK_SLICE = 1_000
"""Rows, or chunks of raw messages, deleted in one transaction: some 50 ms in which nothing is written."""
DAY = 86_400_000_000_000
KEPT_OPEN = ("PRAGMA synchronous = NORMAL", "PRAGMA temp_store = MEMORY", "PRAGMA journal_size_limit = 67108864")
REMEDY = "It holds market data only: move it aside and a new one is made."
FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})
BAD_ROWS = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeError)
_UPSERTS = {name: upsert(table, "sqlite") for name, table in TABLES.items()}


class SqliteStore:
    """See Store. Not for two tasks at once."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._database: sqlite3.Connection | None = None

    async def open(self, *, upgrade: bool = True) -> None:
        await asyncio.to_thread(self._open, upgrade)

    async def write(self, batch: Batch) -> int:
        return await asyncio.to_thread(self._write, batch)

    async def expire(self, days: Mapping[str, int], now: int) -> dict[str, int]:
        """A slice of each table, so that what waits to be written waits for milliseconds only."""
        gone = {
            table: await asyncio.to_thread(self._delete, table, now - kept * DAY)
            for table, kept in days.items()
            if kept
        }
        return {table: rows for table, rows in gone.items() if rows}

    async def size(self) -> int:
        return size_of(self._path)

    async def state(self) -> State:
        return await asyncio.to_thread(self._state)

    async def close(self) -> None:
        if self._database is not None:
            database, self._database = self._database, None
            await asyncio.to_thread(database.close)

    def _open(self, upgrade: bool) -> None:
        with _explained(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = connect(self._path)
            if not upgrade:
                return
            self._database.execute("PRAGMA journal_mode = WAL")
            for pragma in KEPT_OPEN:
                self._database.execute(pragma)
            migrate(self._database)

    @property
    def _open_database(self) -> sqlite3.Connection:
        if self._database is None:
            raise UnavailableError("The market database is not open.", "Start the recorder again.")
        return self._database

    def _write(self, batch: Batch) -> int:
        with _explained(self._path), transaction(self._open_database) as database:
            for table, rows in batch.items():
                database.executemany(_UPSERTS[table], rows)
        return sum(map(len, batch.values()))

    def _delete(self, table: str, before: int) -> int:
        key = ", ".join(f'"{column.name}"' for column in TABLES[table].primary_key.columns)
        most = CHUNK_SLICE if table == "stream_messages" else SLICE
        oldest = f'SELECT {key} FROM {table} WHERE "timestamp" < ? ORDER BY "timestamp" LIMIT {most}'
        with _explained(self._path), transaction(self._open_database) as database:
            return database.execute(f"DELETE FROM {table} WHERE ({key}) IN ({oldest})", (before,)).rowcount

    def _state(self) -> State:
        with _explained(self._path):
            rows = {name: _count(self._open_database, name) for name in KEYS}
            version = version_of(self._open_database)
        return State(where=str(self._path), kind="SQLite", version=version, size_bytes=size_of(self._path), rows=rows)


def connect(path: Path) -> sqlite3.Connection:
    """Transactions are begun by us, where they belong."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False, isolation_level=None)


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def migrate(database: sqlite3.Connection, target: str = schema.HEAD) -> None:
    """To the form `target`, in one transaction; of two that start at once the second finds it done.

    Raises DataError when a later version of the product wrote the file.
    """
    if version_of(database) == target:
        return
    database.execute(f"PRAGMA busy_timeout = {MIGRATION_TIMEOUT * 1_000:.0f}")
    with transaction(database):
        current = version_of(database)
        refuse_newer(current)
        if current != target:
            for statement in schema.statements("sqlite", current, target):
                database.execute(statement)
    database.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1_000:.0f}")


def refuse_newer(current: str | None) -> None:
    if schema.is_newer(current):
        raise DataError(
            f"The market database has form {current}; this version of Paddock knows those up to {schema.HEAD}.",
            "Install the newer version again, or move the database aside and a new one is made.",
        )


def version_of(database: sqlite3.Connection) -> str | None:
    """None in a database that never had a version."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
        return None
    found = database.execute(schema.VERSION_QUERY).fetchone()
    return str(found[0]) if found else None


def size_of(path: Path) -> int:
    """Bytes, the write-ahead log included."""
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _count(database: sqlite3.Connection, table: str) -> int:
    known = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) if known else 0


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except BAD_ROWS as error:
        raise RefusedRowsError(
            f"The market database refuses rows: {error}.", "They are counted and left out."
        ) from error
    except sqlite3.OperationalError as error:
        if (error.sqlite_errorcode & 0xFF) in {sqlite3.SQLITE_FULL} or error.sqlite_errorcode in FULL:
            raise DatabaseFullError(
                f"The disk of the market database {path} is full.", "Free space on it; rows wait in memory meanwhile."
            ) from error
        raise UnavailableError(
            f"The market database {path} cannot be used: {error}.", "Another program may hold it; rows wait meanwhile."
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise DataError(f"The market database {path} cannot be opened: {error}.", REMEDY) from error
