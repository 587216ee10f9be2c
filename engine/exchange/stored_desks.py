"""The desks of an earlier run: what is open with all that belongs to it, and the newest of what has ended."""

from __future__ import annotations

import sqlite3

import msgspec

from engine.exchange.account_state import decode_account
from engine.exchange.activities import ACTIVITY_LIMIT
from engine.exchange.archive import Archive
from engine.exchange.corporate import CorporateAction
from engine.exchange.desk import ORDER_LIMIT, Desk
from engine.exchange.records import OrderRecord
from engine.exchange.stored_archive import read_activity, read_order

_NEWEST = "account_id = ? AND NOT is_open ORDER BY created_at DESC, number DESC"


class SavedDesks(msgspec.Struct):
    """`desks` with their orders, oldest first; `orders` and `activities` are the highest numbers that were given."""

    desks: list[tuple[Desk, list[OrderRecord]]] = []
    orders: int = 0
    activities: int = 0
    actions: list[CorporateAction] = []
    newest: int = 0
    """The latest time that anything was told with; a new run must not begin before it."""


def load_desks(database: sqlite3.Connection, archive: Archive) -> SavedDesks:
    """Raises sqlite3.Error or msgspec.DecodeError."""
    found = SavedDesks()
    for (data,) in database.execute("SELECT data FROM accounts").fetchall():
        desk = Desk(decode_account(data), archive)
        found.desks.append((desk, _load_orders(database, desk)))
        _load_activities(database, desk)
    read_action = msgspec.msgpack.Decoder(CorporateAction).decode
    rows = database.execute("SELECT data FROM corporate_actions ORDER BY rowid").fetchall()
    found.actions = [read_action(data) for (data,) in rows]
    (sampled,) = database.execute("SELECT coalesce(max(at), 0) FROM samples").fetchone()
    fills = [desk.account.activities[-1].timestamp for desk, _ in found.desks if desk.account.activities]
    found.newest = max([sampled, *fills, *(records[-1].created_at for _, records in found.desks if records)])
    found.orders, found.activities = (
        database.execute(f"SELECT coalesce(max(number), 0) FROM {table}").fetchone()[0]
        for table in ("orders", "activities")
    )
    return found


def _load_orders(database: sqlite3.Connection, desk: Desk) -> list[OrderRecord]:
    records: dict[str, OrderRecord] = {}

    def read(where: str, *values: object) -> list[OrderRecord]:
        rows = database.execute(f"SELECT number, data FROM orders WHERE {where}", values).fetchall()
        found = [record for record in map(read_order, rows) if record.order_id not in records]
        records.update((record.order_id, record) for record in found)
        return found

    relatives = read("account_id = ? AND is_open", desk.account_id)
    read(f"{_NEWEST} LIMIT ?", desk.account_id, ORDER_LIMIT)
    while relatives:
        wanted = {name for record in relatives for name in (record.parent_id, *record.legs) if name} - records.keys()
        relatives = [record for name in wanted for record in read("order_id = ?", name)]
    total = database.execute("SELECT count(*) FROM orders WHERE account_id = ?", (desk.account_id,)).fetchone()[0]
    desk.archived = total - len(records)
    if desk.archived:
        newest = database.execute(
            f"SELECT created_at FROM orders WHERE {_NEWEST} LIMIT 1 OFFSET {ORDER_LIMIT}", (desk.account_id,)
        )
        desk.archived_until = newest.fetchone()[0]
    return sorted(records.values(), key=lambda record: record.number)


def _load_activities(database: sqlite3.Connection, desk: Desk) -> None:
    newest = "SELECT kind, data FROM activities WHERE account_id = ? ORDER BY at DESC, number DESC LIMIT ?"
    rows = database.execute(newest, (desk.account_id, ACTIVITY_LIMIT)).fetchall()
    desk.account.activities.extend(read_activity(row) for row in reversed(rows))
    total = database.execute("SELECT count(*) FROM activities WHERE account_id = ?", (desk.account_id,)).fetchone()[0]
    desk.activities_archived = total - len(rows)
