"""The journal's trail: rows whose hashes chain them together, and the newest copy of each order, fill and fact.

Each row's hash covers the row before it, and the newest copies are held against the trail: what was changed, removed or
put in between is found.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.domain.orders import Fill, Order
from engine.storage import disk

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

BYTES = "COALESCE(CAST(body AS BLOB), x'')"
"""Whatever somebody put there, so that it can be compared."""
_COPIES = {
    "order": f"SELECT client_order_id, {BYTES} FROM orders",
    "fill": f"SELECT execution_id, {BYTES} FROM fills",
    "fact": f"SELECT key, {BYTES} FROM facts",
}
TRAIL = f"SELECT number, kind, key, {BYTES}, hash FROM trail ORDER BY number"
REMEDY = (
    "Keep the file for whoever looks into it, move it aside, and start again: "
    "open orders and positions are read from the venue."
)


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


class Row(msgspec.Struct, frozen=True):
    kind: str
    key: str
    body: bytes
    is_open: bool = False


class Trail:
    """What the chain of rows says. Raises DataError for a row that does not fit."""

    def __init__(self, rows: Iterable[tuple[int, str, str, bytes, bytes]]) -> None:
        self.number, self.hash = 0, GENESIS
        self._copies: dict[tuple[str, str], bytes] = {}
        for number, kind, key, body, row_hash in rows:
            self.number += 1
            self.hash = link(self.hash, number, Row(kind, key, body))
            if number != self.number or self.hash != row_hash:
                raise DataError(f"The order journal was altered at row {number}.", REMEDY)
            if kind != "fill" or (kind, key) not in self._copies:
                self._copies[kind, key] = hashlib.sha256(body).digest()

    def compare(self, database: sqlite3.Connection) -> None:
        """The newest copies must be the trail's: each of them, and no other."""
        for kind, query in _COPIES.items():
            for key, body in database.execute(query):
                if self._copies.pop((kind, key), None) != hashlib.sha256(body).digest():
                    raise DataError(f"The order journal's copy of {kind} {key} was altered.", REMEDY)
        for kind, key in self._copies:
            raise DataError(f"The order journal's copy of {kind} {key} is missing.", REMEDY)


def read_trail(path: Path) -> Iterator[tuple[int, Row, bytes]]:
    """Number, row and hash, oldest first, without changing anything: also while a console writes. Raises DataError."""
    if not path.is_file():
        raise DataError(f"There is no order journal at {path}.", "Name the installation's folder with --data.")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            for number, kind, key, body, row_hash in database.execute(TRAIL):
                yield number, Row(kind, key, body), row_hash
    except sqlite3.Error as error:
        remedy = disk.REMEDY if disk.refused(error) else REMEDY
        raise DataError(f"The order journal {path} cannot be read: {error}.", remedy) from error


def verify(path: Path) -> tuple[int, bytes]:
    """How many rows there are and the last one's hash, which stands for all of them. Raises DataError."""
    trail = Trail((number, row.kind, row.key, row.body, found) for number, row, found in read_trail(path))
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        trail.compare(database)
    return trail.number, trail.hash


def recover(database: sqlite3.Connection) -> Recovered:
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


def encode(entry: Entry) -> Row:
    if isinstance(entry, Order):
        return Row("order", entry.client_order_id, msgspec.json.encode(entry), entry.is_open)
    if isinstance(entry, Fill):
        return Row("fill", entry.execution_id, msgspec.json.encode(entry))
    return Row("fact", entry.key, entry.body.encode())


def link(previous: bytes, number: int, row: Row) -> bytes:
    digest = hashlib.sha256(previous)
    digest.update(f"{number}|{row.kind}|{row.key}|".encode())
    digest.update(row.body)
    return digest.digest()
