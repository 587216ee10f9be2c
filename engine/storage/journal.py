"""The order journal: an append-only, hash-chained audit trail in SQLite, durable before anything is sent.

WAL with synchronous=FULL: `await append(...)` returns when the rows are on the disk. One thread writes; whoever waits
at the same moment shares one commit. Beside the trail the newest copy of each order and every fill are kept, so that a
start reads the state without replaying history.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.domain.errors import DataError, OrderError
from engine.storage import disk
from engine.storage.trail import REMEDY, SCHEMA, TRAIL, Entry, Recovered, Row, Trail, encode, link, recover
from engine.storage.writer import MakeWriter, ThreadWriter, Work

BUSY_TIMEOUT = 5.0
ROWS_A_STATEMENT = 50
UNTIDY = 200
"""Rows in the write-ahead log from which on it is worth taking them over into the database."""


class Journal:
    """Open with `open_journal`. `append` from one event loop only."""

    def __init__(self, database: sqlite3.Connection, number: int, last_hash: bytes, make_writer: MakeWriter) -> None:
        self._database = database
        self._number = number
        self._hash = last_hash
        self._untidy = 0
        """Rows in the write-ahead log alone."""
        self._closed = False
        self._writer = make_writer(self._commit)

    @property
    def is_closed(self) -> bool:
        return self._closed

    async def append(self, *entries: Entry) -> None:
        """Returns when the rows are durable. Raises OrderError when they cannot be written; then none is."""
        await asyncio.shield(self.append_soon(*entries))

    def append_soon(self, *entries: Entry) -> asyncio.Future[None]:
        """Rows are written in the order of the calls; entries are copied now. The future is done when they are durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._closed:
            future.set_exception(OrderError("The order journal is closed.", "Start Paddock again; nothing was sent."))
            return future
        rows = [encode(entry) for entry in entries]
        self._writer.put(Work(rows, loop, future))
        return future

    async def close(self) -> None:
        """Writes what is waiting first; what comes later is refused."""
        self._closed = True
        await self._writer.close()
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _commit(self, work: list[Work]) -> None:
        if not work:
            self._tidy()
            return
        number, last_hash = self._number, self._hash
        error: Exception | None = None
        rows = [row for item in work for row in item.rows]
        trail: list[tuple[object, ...]] = []
        for row in rows:
            number += 1
            last_hash = link(last_hash, number, row)
            trail.append((number, row.kind, row.key, row.body, last_hash))
        try:
            with self._database:
                self._insert("INSERT INTO trail VALUES", trail)
                self._insert_copies(rows)
            self._number, self._hash = number, last_hash
            self._untidy += len(rows)
        except sqlite3.Error as failure:
            error = OrderError(
                f"The order journal cannot be written: {failure}.",
                "Free space on the disk or check the data folder's permissions; nothing was sent.",
            )
        for item in work:
            item.finish(error)

    def _insert_copies(self, rows: list[Row]) -> None:
        """Of orders and facts the newest, of fills the first."""
        orders = {row.key: (row.key, row.is_open, row.body) for row in rows if row.kind == "order"}
        self._insert("INSERT OR REPLACE INTO orders VALUES", list(orders.values()))
        fills = [(row.key, row.body) for row in rows if row.kind == "fill"]
        self._insert("INSERT OR IGNORE INTO fills VALUES", fills)
        facts = {row.key: (row.key, row.body) for row in rows if row.kind == "fact"}
        self._insert("INSERT OR REPLACE INTO facts VALUES", list(facts.values()))

    def _insert(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Many rows a statement: around each the thread lets go of the interpreter, and has to get it back."""
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            some = rows[start : start + ROWS_A_STATEMENT]
            values = ", ".join([f"({', '.join('?' * len(some[0]))})"] * len(some))
            self._database.execute(f"{statement} {values}", [value for row in some for value in row])

    def _tidy(self) -> None:
        """Nobody waits: take over into the database what the write-ahead log has gathered, which costs more syncs, before
        SQLite does it while an order waits (from 1,000 pages on).
        """
        if self._untidy >= UNTIDY:
            # Where it fails, the rows are as durable in the log, and there is a next time.
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._untidy = 0


def open_journal(path: Path, make_writer: MakeWriter = ThreadWriter) -> tuple[Journal, Recovered]:
    """Raises DataError when the journal is damaged, was altered, or cannot be read."""
    with contextlib.ExitStack() as on_failure:
        try:
            database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False, isolation_level="IMMEDIATE")
            on_failure.callback(database.close)
            database.executescript(SCHEMA)
            trail = Trail(database.execute(TRAIL))
            trail.compare(database)
            recovered = recover(database)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            remedy = disk.REMEDY if disk.refused(error) else REMEDY
            raise DataError(f"The order journal {path} cannot be read: {error}.", remedy) from error
        on_failure.pop_all()
    return Journal(database, trail.number, trail.hash, make_writer), recovered
