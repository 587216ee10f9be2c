"""The order journal: an append-only, hash-chained audit trail in SQLite, durable before anything is sent.

WAL with synchronous=FULL: `await append(...)` returns when the rows are on the disk. One thread writes; whoever waits
at the same moment shares one commit. Beside the trail the newest copy of each order and every fill are kept, so that a
start reads the state without replaying history. Each row's hash covers the row before it, and the newest copies are
held against the trail: what was changed, removed or put in between is found when the journal is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import msgspec

from engine.domain.errors import DataError, OrderError
from engine.domain.orders import Fill, Order

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS trail (number INTEGER PRIMARY KEY, kind TEXT, key TEXT, body BLOB, hash BLOB);
CREATE TABLE IF NOT EXISTS orders (client_order_id TEXT PRIMARY KEY, is_open INTEGER, body BLOB);
CREATE INDEX IF NOT EXISTS open_orders ON orders (is_open);
CREATE TABLE IF NOT EXISTS fills (execution_id TEXT PRIMARY KEY, body BLOB);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, body BLOB);
"""
GENESIS = b"\0" * 32
RECENT_ORDERS = 500
BUSY_TIMEOUT = 5.0


class Fact(msgspec.Struct, frozen=True):
    """A value that must survive, such as the trading state, by name."""

    key: str
    body: str


Entry = Order | Fill | Fact


class Recovered(msgspec.Struct, frozen=True):
    """What the journal knows: all open orders and the newest closed ones, oldest first; every fill; facts by name."""

    orders: list[Order]
    fills: list[Fill]
    facts: dict[str, str]


class Writer(Protocol):
    """Commits work in its order, at a time of its own choosing."""

    def put(self, work: Work) -> None: ...

    async def close(self) -> None:
        """Commits what is waiting first."""
        ...


class Journal:
    """Open with `open_journal`. `append` from one event loop only."""

    def __init__(self, database: sqlite3.Connection, number: int, last_hash: bytes, make_writer: MakeWriter) -> None:
        self._database = database
        self._number = number
        self._hash = last_hash
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
        rows = [_encode(entry) for entry in entries]
        self._writer.put(Work(rows, loop, future))
        return future

    async def close(self) -> None:
        """Writes what is waiting first; what comes later is refused."""
        self._closed = True
        await self._writer.close()
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _commit(self, work: list[Work]) -> None:
        number, last_hash = self._number, self._hash
        error: Exception | None = None
        try:
            with self._database:
                for row in (row for item in work for row in item.rows):
                    number += 1
                    last_hash = _link(last_hash, number, row)
                    self._insert(number, row, last_hash)
            self._number, self._hash = number, last_hash
        except sqlite3.Error as failure:
            error = OrderError(
                f"The order journal cannot be written: {failure}.",
                "Free space on the disk or check the data folder's permissions; nothing was sent.",
            )
        for item in work:
            item.finish(error)

    def _insert(self, number: int, row: _Row, row_hash: bytes) -> None:
        run = self._database.execute
        run("INSERT INTO trail VALUES (?, ?, ?, ?, ?)", (number, row.kind, row.key, row.body, row_hash))
        if row.kind == "order":
            run("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", (row.key, row.is_open, row.body))
        elif row.kind == "fill":
            run("INSERT OR IGNORE INTO fills VALUES (?, ?)", (row.key, row.body))
        else:
            run("INSERT OR REPLACE INTO facts VALUES (?, ?)", (row.key, row.body))


class _Row(msgspec.Struct, frozen=True):
    kind: str
    key: str
    body: bytes
    is_open: bool = False


class Work:
    """Rows that are committed together, and who waits for it."""

    def __init__(self, rows: list[_Row], loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        self.rows = rows
        self._loop = loop
        self._future = future

    def finish(self, error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)


class ThreadWriter:
    """One thread; whoever waits at the same moment shares one commit."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._thread.start()

    def put(self, work: Work) -> None:
        self._queue.put(work)

    async def close(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _write_all(self) -> None:
        running = True
        while running:
            work = [item] if (item := self._queue.get()) is not None else []
            running = item is not None
            while running and not self._queue.empty():
                item = self._queue.get()
                if item is None:
                    running = False
                else:
                    work.append(item)
            if work:
                self._commit(work)


Commit = Callable[[list[Work]], None]
MakeWriter = Callable[[Commit], Writer]


def open_journal(path: Path, make_writer: MakeWriter = ThreadWriter) -> tuple[Journal, Recovered]:
    """Raises DataError when the journal is damaged, was altered, or cannot be read."""
    with contextlib.ExitStack() as on_failure:
        try:
            database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False, isolation_level="IMMEDIATE")
            on_failure.callback(database.close)
            database.executescript(SCHEMA)
            trail = _Trail(database.execute(f"SELECT number, kind, key, {_BYTES}, hash FROM trail ORDER BY number"))
            trail.compare(database)
            recovered = _recover(database)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise DataError(f"The order journal {path} cannot be read: {error}.", _REMEDY) from error
        on_failure.pop_all()
    return Journal(database, trail.number, trail.hash, make_writer), recovered


class _Trail:
    """What the chain of rows says. Raises DataError for a row that does not fit."""

    def __init__(self, rows: Iterable[tuple[int, str, str, bytes, bytes]]) -> None:
        self.number, self.hash = 0, GENESIS
        self._copies: dict[tuple[str, str], bytes] = {}
        for number, kind, key, body, row_hash in rows:
            self.number += 1
            self.hash = _link(self.hash, number, _Row(kind, key, body))
            if number != self.number or self.hash != row_hash:
                raise DataError(f"The order journal was altered at row {number}.", _REMEDY)
            if kind != "fill" or (kind, key) not in self._copies:
                self._copies[kind, key] = hashlib.sha256(body).digest()

    def compare(self, database: sqlite3.Connection) -> None:
        """The newest copies must be the trail's: each of them, and no other."""
        for kind, query in _COPIES.items():
            for key, body in database.execute(query):
                if self._copies.pop((kind, key), None) != hashlib.sha256(body).digest():
                    raise DataError(f"The order journal's copy of {kind} {key} was altered.", _REMEDY)
        for kind, key in self._copies:
            raise DataError(f"The order journal's copy of {kind} {key} is missing.", _REMEDY)


def _recover(database: sqlite3.Connection) -> Recovered:
    newest = database.execute(
        "SELECT body FROM orders WHERE is_open OR client_order_id IN"
        " (SELECT client_order_id FROM orders ORDER BY rowid DESC LIMIT ?) ORDER BY rowid",
        (RECENT_ORDERS,),
    )
    orders = [msgspec.json.decode(body, type=Order) for (body,) in newest]
    fills = [
        msgspec.json.decode(body, type=Fill) for (body,) in database.execute("SELECT body FROM fills ORDER BY rowid")
    ]
    facts = {key: bytes(body).decode() for key, body in database.execute("SELECT key, body FROM facts")}
    return Recovered(orders, fills, facts)


def _encode(entry: Entry) -> _Row:
    if isinstance(entry, Order):
        return _Row("order", entry.client_order_id, msgspec.json.encode(entry), entry.is_open)
    if isinstance(entry, Fill):
        return _Row("fill", entry.execution_id, msgspec.json.encode(entry))
    return _Row("fact", entry.key, entry.body.encode())


def _link(previous: bytes, number: int, row: _Row) -> bytes:
    digest = hashlib.sha256(previous)
    digest.update(f"{number}|{row.kind}|{row.key}|".encode())
    digest.update(row.body)
    return digest.digest()


_BYTES = "COALESCE(CAST(body AS BLOB), x'')"
"""Whatever somebody put there, so that it can be compared."""
_COPIES = {
    "order": f"SELECT client_order_id, {_BYTES} FROM orders",
    "fill": f"SELECT execution_id, {_BYTES} FROM fills",
    "fact": f"SELECT key, {_BYTES} FROM facts",
}
_REMEDY = (
    "Keep the file for whoever looks into it, move it aside, and start again: "
    "open orders and positions are read from the venue."
)
