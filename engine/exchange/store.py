"""Accounts, orders and activities on disk: one SQLite file, one writing thread.

With a folder a restart loses nothing: a write is committed before anybody hears of it. The file survives the death of
the process at any moment; a power cut may cost the last writes (WAL with synchronous=NORMAL). Without a folder the
file is SQLite's own temporary one, and is given only what leaves memory.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import ParamSpec, TypeVar

import msgspec

from engine.domain.market import NANOSECONDS
from engine.exchange.account_state import encode_account
from engine.exchange.activities import Activity
from engine.exchange.changes import Changes, Sample
from engine.exchange.records import OrderRecord
from engine.exchange.store_schema import (
    ADD_ACTION,
    ADD_ACTIVITY,
    ADD_ORDER,
    ADD_SAMPLE,
    activity_row,
    explain,
    hold,
    order_row,
    prepare,
)
from engine.exchange.stored_archive import StoredArchive
from engine.exchange.stored_desks import SavedDesks, load_desks

FILE_NAME = "exchange.db"
SAMPLES_KEPT = 30 * 86_400 * NANOSECONDS
"""Single points of the portfolio history are kept so long, the last one of each day for ever."""
_P = ParamSpec("_P")
_T = TypeVar("_T")


class MarketState(msgspec.Struct, kw_only=True):
    """`levels` are the last prices by symbol, `recording` names what was replayed and `at` is how far."""

    levels: dict[str, float] = {}
    recording: str = ""
    at: int = 0


class Store:
    """Raises UnavailableError when another exchange has the folder, DataError when the file cannot be read."""

    def __init__(self, folder: Path | None, name: str = FILE_NAME) -> None:
        self.is_durable = folder is not None
        self.path = Path(name) if folder is None else folder / name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exchange-store")
        self._lock = Lock()
        self._last: dict[str, int] = {}
        self._held: int | None = None
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                self._held = hold(self.path)
            self._database = self._thread.submit(self._open).result()
        except (sqlite3.Error, msgspec.DecodeError, OSError) as error:
            self._thread.shutdown()
            self._let_go()
            raise explain(self.path, error) from error
        self.archive = StoredArchive(self._database, self._lock)

    async def write(self, changes: Changes) -> None:
        """Returns when the changes are committed."""
        accounts = [(account_id, encode_account(account)) for account_id, account in changes.accounts.items()]
        orders = list({record.order_id: record for record in changes.orders}.values())
        actions = [(action.action_id, msgspec.msgpack.encode(action)) for action in changes.actions.values()]
        activities, closes = list(changes.activities), list(changes.closes)
        await self._in_thread(self._write, accounts, orders, activities, closes, actions)

    def load(self) -> SavedDesks:
        return self._now(lambda: load_desks(self._database, self.archive))

    def next_run(self) -> int:
        """A number that no earlier run on this file has had."""
        return self._now(self._next_run)

    def read_market(self) -> MarketState:
        """Where the market stood when the run before was last seen."""
        raw = self._now(lambda: self._meta("market"))
        return MarketState() if raw is None else self._now(lambda: msgspec.msgpack.decode(raw, type=MarketState))

    async def write_samples(self, samples: list[Sample]) -> None:
        """Points of the portfolio histories, all of one time."""
        await self._in_thread(self._write, [], [], [], samples, [])

    async def read_samples(self, account_id: str, start: int, end: int) -> list[tuple[int, Decimal]]:
        """The points with start <= time <= end, oldest first."""
        return await self._in_thread(self._read_samples, account_id, start, end)

    async def read_closes(self, account_id: str, start: int, end: int) -> list[tuple[int, Decimal]]:
        """Those of them that end a trading day."""
        return await self._in_thread(self._read_samples, account_id, start, end, "AND closes_day")

    async def last_close(self, account_id: str, before: int) -> tuple[int, Decimal] | None:
        """The equity at the end of the last trading day that ended at or before a time."""
        return await self._in_thread(self._last_close, account_id, before)

    async def write_market(self, state: MarketState) -> None:
        await self._in_thread(self._set_meta, "market", msgspec.msgpack.encode(state))

    def close(self) -> None:
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _now(self, work: Callable[[], _T]) -> _T:
        try:
            return self._thread.submit(work).result()
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise explain(self.path, error) from error

    async def _in_thread(self, work: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
        return await asyncio.wrap_future(self._thread.submit(work, *arguments, **options))

    def _open(self) -> sqlite3.Connection:
        # The archive reads in the event loop's thread, one at a time with the writer.
        database = sqlite3.connect(self.path if self.is_durable else "", timeout=1.0, check_same_thread=False)
        try:
            if self.is_durable:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
            prepare(database)
        except (sqlite3.Error, msgspec.DecodeError):
            database.close()
            raise
        return database

    def _write(
        self,
        accounts: list[tuple[str, bytes]],
        orders: list[OrderRecord],
        activities: list[tuple[str, Activity]],
        samples: list[Sample],
        actions: list[tuple[str, bytes]],
    ) -> None:
        with self._lock, self._database as database:
            database.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?)", accounts)
            database.executemany(ADD_ORDER, map(order_row, orders))
            database.executemany(ADD_ACTIVITY, [self._activity_row(*activity) for activity in activities])
            database.executemany(ADD_ACTION, actions)
            rows = [(s.account_id, s.at, str(s.equity), s.closes_day) for s in samples]
            database.executemany(ADD_SAMPLE, rows)
            if samples:
                cut = samples[0].at - SAMPLES_KEPT
                database.execute("DELETE FROM samples WHERE at < ? AND NOT closes_day", (cut,))

    def _activity_row(self, account_id: str, activity: Activity) -> tuple[object, ...]:
        """Times never go back in an account's history, so that it can be paged by them."""
        at = self._last[account_id] = max(activity.timestamp, self._last.get(account_id, 0))
        return activity_row(account_id, activity, at)

    def _read_samples(self, account_id: str, start: int, end: int, only: str = "") -> list[tuple[int, Decimal]]:
        sql = f"SELECT at, equity FROM samples WHERE account_id = ? AND at BETWEEN ? AND ? {only} ORDER BY at"
        with self._lock:
            return [(at, Decimal(equity)) for at, equity in self._database.execute(sql, (account_id, start, end))]

    def _last_close(self, account_id: str, before: int) -> tuple[int, Decimal] | None:
        sql = "SELECT at, equity FROM samples WHERE account_id = ? AND closes_day AND at <= ? ORDER BY at DESC LIMIT 1"
        with self._lock:
            row = self._database.execute(sql, (account_id, before)).fetchone()
        return None if row is None else (row[0], Decimal(row[1]))

    def _next_run(self) -> int:
        number = int(self._meta("run") or b"0") + 1
        self._set_meta("run", str(number).encode())
        return number

    def _meta(self, key: str) -> bytes | None:
        with self._lock:
            row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0], "ascii") if isinstance(row[0], str) else row[0]

    def _set_meta(self, key: str, value: bytes) -> None:
        with self._lock, self._database as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
