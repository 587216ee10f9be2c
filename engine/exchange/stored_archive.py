"""The archive in SQLite: orders and activities read back by id, by client id and in lists."""

from __future__ import annotations

import sqlite3
from collections.abc import Set
from threading import Lock
from typing import Any

import msgspec

from engine.exchange.activities import FILL, Activity, Entry, Execution
from engine.exchange.archive import ActivityQuery, OrderQuery
from engine.exchange.records import OrderRecord

_read_order = msgspec.msgpack.Decoder(OrderRecord).decode
_read_fill = msgspec.msgpack.Decoder(Execution).decode
_read_entry = msgspec.msgpack.Decoder(Entry).decode


def read_order(row: tuple[Any, ...]) -> OrderRecord:
    """A row of number and data."""
    record: OrderRecord = _read_order(row[1])
    record.number = row[0]
    return record


def read_activity(row: tuple[Any, ...]) -> Activity:
    """A row of kind and data."""
    return _read_fill(row[1]) if row[0] == FILL else _read_entry(row[1])


class StoredArchive:
    """`lock` is held for every use of the database, which the writing thread shares."""

    def __init__(self, database: sqlite3.Connection, lock: Lock) -> None:
        self._database = database
        self._lock = lock

    def order(self, account_id: str, order_id: str) -> OrderRecord | None:
        rows = self._orders("account_id = ? AND order_id = ?", [account_id, order_id])
        return rows[0] if rows else None

    def client_order(self, account_id: str, client_order_id: str) -> OrderRecord | None:
        rows = self._orders("client_order_id = ? AND account_id = ?", [client_order_id, account_id])
        return rows[0] if rows else None

    def orders(self, account_id: str, query: OrderQuery, limit: int) -> list[OrderRecord]:
        where, values = ["account_id = ?", "NOT is_open"], list[object]([account_id])
        _span(where, values, "created_at", query.after, query.until)
        _among(where, values, "symbol", query.symbols)
        _among(where, values, "side", {query.side} - {""})
        if query.roots_only:
            where.append("NOT is_leg")
        way = "DESC" if query.newest_first else "ASC"
        return self._orders(f"{' AND '.join(where)} ORDER BY created_at {way}, number {way} LIMIT {limit}", values)

    def activities(self, account_id: str, query: ActivityQuery, limit: int) -> list[Activity]:
        where, values = ["account_id = ?"], list[object]([account_id])
        _span(where, values, "at", query.after, query.until)
        _among(where, values, "kind", query.kinds)
        if query.beyond is not None:
            where.append(f"number {'<' if query.newest_first else '>'} {query.beyond}")
        # Booked in the order of time, so that either index serves.
        way = "DESC" if query.newest_first else "ASC"
        order = f"ORDER BY at {way}, number {way}" if query.beyond is None else f"ORDER BY number {way}"
        sql = f"SELECT kind, data FROM activities WHERE {' AND '.join(where)} {order} LIMIT {limit}"
        return [read_activity(row) for row in self._rows(sql, values)]

    def activity_number(self, account_id: str, activity_id: str) -> int | None:
        sql = "SELECT number FROM activities WHERE activity_id = ? AND account_id = ?"
        rows = self._rows(sql, [activity_id, account_id])
        return int(rows[0][0]) if rows else None

    def _orders(self, where: str, values: list[object]) -> list[OrderRecord]:
        return [read_order(row) for row in self._rows(f"SELECT number, data FROM orders WHERE {where}", values)]

    def _rows(self, sql: str, values: list[object]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()


def _span(where: list[str], values: list[object], column: str, after: int | None, until: int | None) -> None:
    for sign, bound in ((">", after), ("<", until)):
        if bound is not None:
            where.append(f"{column} {sign} ?")
            values.append(bound)


def _among(where: list[str], values: list[object], column: str, allowed: Set[str]) -> None:
    if allowed:
        where.append(f"{column} IN ({', '.join('?' * len(allowed))})")
        values.extend(sorted(allowed))
