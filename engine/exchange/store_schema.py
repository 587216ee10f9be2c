"""The tables of the exchange's state file, and how an older file becomes a newer one."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from engine.domain.errors import DataError, UnavailableError
from engine.exchange.activities import Activity, Execution
from engine.exchange.records import OrderRecord
from engine.file_lock import try_lock

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (account_id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, client_order_id TEXT NOT NULL,
    created_at INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, is_leg INTEGER NOT NULL,
    is_open INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_time ON orders (account_id, created_at);
CREATE INDEX IF NOT EXISTS orders_by_client ON orders (client_order_id, account_id);
CREATE INDEX IF NOT EXISTS open_orders ON orders (account_id) WHERE is_open;
CREATE TABLE IF NOT EXISTS activities (
    number INTEGER PRIMARY KEY, activity_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, kind TEXT NOT NULL,
    at INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS activities_by_account ON activities (account_id, kind);
CREATE INDEX IF NOT EXISTS activities_by_time ON activities (account_id, at);
CREATE TABLE IF NOT EXISTS samples (
    account_id TEXT NOT NULL, at INTEGER NOT NULL, equity TEXT NOT NULL, closes_day INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS corporate_actions (action_id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
INSERT OR IGNORE INTO meta VALUES ('run', '0');
"""
ADD_ORDER = (
    "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (order_id) DO UPDATE SET is_open = excluded.is_open, data = excluded.data"
)
ADD_ACTIVITY = "INSERT INTO activities VALUES (?, ?, ?, ?, ?, ?)"
ADD_ACTION = "INSERT INTO corporate_actions VALUES (?, ?) ON CONFLICT (action_id) DO UPDATE SET data = excluded.data"
ADD_SAMPLE = (
    "INSERT INTO samples VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET equity = excluded.equity, closes_day = max(closes_day, excluded.closes_day)"
)
_encode = msgspec.msgpack.Encoder().encode


def order_row(record: OrderRecord) -> tuple[object, ...]:
    return (
        record.number,
        record.order_id,
        record.account_id,
        record.client_order_id,
        record.created_at,
        record.symbol.replace("/", ""),
        record.side.value,
        record.parent_id is not None,
        record.is_open,
        _encode(record),
    )


def activity_row(account_id: str, activity: Activity, at: int) -> tuple[object, ...]:
    """`at` is the time to page by."""
    return (activity.number, activity.activity_id, account_id, activity.kind, at, _encode(activity))


def prepare(database: sqlite3.Connection) -> None:
    """Create the tables, or bring those of an earlier release up to date. Raises sqlite3.Error."""
    if database.execute("PRAGMA user_version").fetchone()[0] < VERSION and _has(database, "executions"):
        _from_first_release(database)
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.commit()


def _has(database: sqlite3.Connection, table: str) -> bool:
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone())


def _from_first_release(database: sqlite3.Connection) -> None:
    """It had orders without columns to select by, and fills for its only activities."""
    with database:
        database.execute("BEGIN")
        for table in ("orders", "executions"):
            database.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        if "closes_day" not in {row[1] for row in database.execute("PRAGMA table_info(samples)")}:
            database.execute("ALTER TABLE samples ADD COLUMN closes_day INTEGER NOT NULL DEFAULT 0")
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                database.execute(statement)
        read_order = msgspec.msgpack.Decoder(OrderRecord).decode
        for number, data in database.execute("SELECT number, data FROM old_orders").fetchall():
            record = msgspec.structs.replace(read_order(data), number=number)
            database.execute(ADD_ORDER, order_row(record))
        read_fill = msgspec.msgpack.Decoder(Execution).decode
        for number, account_id, data in database.execute("SELECT number, account_id, data FROM old_executions"):
            fill = msgspec.structs.replace(read_fill(data), number=number)
            database.execute(ADD_ACTIVITY, activity_row(account_id, fill, fill.timestamp))
        for table in ("orders", "executions"):
            database.execute(f"DROP TABLE old_{table}")


def hold(path: Path) -> int:
    """One exchange for each file: the descriptor of the lock, which goes when it is closed or the process dies.

    SQLite's own lock would keep those out, too, who only read, such as a backup. Raises BlockingIOError.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try_lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def explain(path: Path, error: Exception) -> UnavailableError | DataError:
    if isinstance(error, BlockingIOError) or "locked" in str(error):
        return UnavailableError(
            f"Another exchange is using {path}.", "Stop it, or give this one a folder of its own with --state."
        )
    if isinstance(error, OSError):
        return UnavailableError(f"The exchange cannot use {path.parent}: {error}.", "Choose another --state folder.")
    return DataError(
        f"The exchange's state in {path} cannot be read: {error}.",
        "Move the file away to start with fresh accounts, or restore it from a backup.",
    )
