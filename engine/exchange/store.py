"""Accounts, orders and fills on disk, so that a restart loses nothing: one SQLite file, one writing thread.

A write is committed before anybody hears of it. The file survives the death of the process at any moment; a power cut
may cost the last writes (WAL with synchronous=NORMAL).
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.domain.errors import DataError, UnavailableError
from engine.domain.market import NANOSECONDS
from engine.exchange.accounts import EXECUTION_LIMIT, Execution, Holding, TradingAccount, Watchlist
from engine.exchange.changes import Changes
from engine.exchange.desk import Desk
from engine.exchange.records import OrderRecord

FILE_NAME = "exchange.db"
SAMPLES_KEPT = 30 * 86_400 * NANOSECONDS
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (account_id TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, client_order_id TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS executions (
    number INTEGER PRIMARY KEY, execution_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS samples (
    account_id TEXT NOT NULL, at INTEGER NOT NULL, equity TEXT NOT NULL, PRIMARY KEY (account_id, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


class AccountState(msgspec.Struct, kw_only=True):
    """The part of an account that is not orders and fills."""

    account_id: str
    number: str
    created_at: int
    start_cash: Decimal
    cash: Decimal
    last_equity: Decimal
    holdings: list[Holding]
    configuration: dict[str, Any]
    watchlists: list[Watchlist] = []


class MarketState(msgspec.Struct, kw_only=True):
    """`levels` are the last prices by symbol, `recording` names what was replayed and `at` is how far."""

    levels: dict[str, float] = {}
    recording: str = ""
    at: int = 0


class Store:
    """Raises UnavailableError when another exchange has the folder, DataError when the file cannot be read."""

    def __init__(self, folder: Path, name: str = FILE_NAME) -> None:
        self.path = folder / name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="exchange-store")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = self._thread.submit(self._open).result()
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown()
            raise _explain(self.path, error) from error

    async def write(self, changes: Changes) -> None:
        """Returns when the changes are committed."""
        accounts = [(account_id, _encode_account(account)) for account_id, account in changes.accounts.items()]
        orders = {record.order_id: record for record in changes.orders}
        executions = list(changes.executions)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._write, accounts, list(orders.values()), executions)

    def load(self) -> list[tuple[Desk, list[OrderRecord]]]:
        """Every account with its orders, oldest first."""
        try:
            return self._thread.submit(self._load).result()
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise _explain(self.path, error) from error

    def next_run(self) -> int:
        """A number that no earlier run on this file has had."""
        return self._thread.submit(self._next_run).result()

    def read_market(self) -> MarketState:
        """Where the market stood when the run before was last seen."""
        try:
            raw = self._thread.submit(self._meta, "market").result()
            return MarketState() if raw is None else msgspec.msgpack.decode(raw, type=MarketState)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise _explain(self.path, error) from error

    async def write_samples(self, at: int, equities: dict[str, Decimal]) -> None:
        """A point of each account's portfolio history; those older than `SAMPLES_KEPT` go."""
        rows = [(account_id, at, str(equity)) for account_id, equity in equities.items()]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write_samples, at, rows)

    async def write_market(self, state: MarketState) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._set_meta, "market", msgspec.msgpack.encode(state))

    def close(self) -> None:
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=1.0)
        try:
            # One exchange per folder: the lock is taken by the first write and kept.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(_SCHEMA)
            database.execute("INSERT OR IGNORE INTO meta VALUES ('run', '0')")
            database.commit()
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _write(
        self, accounts: list[tuple[str, bytes]], orders: list[OrderRecord], executions: list[tuple[str, Execution]]
    ) -> None:
        encode = msgspec.msgpack.encode
        with self._database as database:
            database.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?)", accounts)
            database.executemany(
                "INSERT INTO orders (order_id, account_id, client_order_id, data) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (order_id) DO UPDATE SET data = excluded.data",
                [(o.order_id, o.account_id, o.client_order_id, encode(o)) for o in orders],
            )
            database.executemany(
                "INSERT INTO executions (execution_id, account_id, data) VALUES (?, ?, ?)",
                [(e.execution_id, account_id, encode(e)) for account_id, e in executions],
            )

    def _write_samples(self, at: int, rows: list[tuple[str, int, str]]) -> None:
        with self._database as database:
            database.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?)", rows)
            database.execute("DELETE FROM samples WHERE at < ?", (at - SAMPLES_KEPT,))

    def _load(self) -> list[tuple[Desk, list[OrderRecord]]]:
        desks: dict[str, tuple[Desk, list[OrderRecord]]] = {}
        for account_id, data in self._database.execute("SELECT account_id, data FROM accounts"):
            desks[account_id] = (Desk(_decode_account(data)), [])
        read_order = msgspec.msgpack.Decoder(OrderRecord).decode
        for account_id, data in self._database.execute("SELECT account_id, data FROM orders ORDER BY number"):
            desks[account_id][1].append(read_order(data))
        read_execution = msgspec.msgpack.Decoder(Execution).decode
        newest = "SELECT * FROM executions ORDER BY number DESC LIMIT ?"
        rows = self._database.execute(f"SELECT account_id, data FROM ({newest}) ORDER BY number", (EXECUTION_LIMIT,))
        for account_id, data in rows:
            desks[account_id][0].account.executions.append(read_execution(data))
        for account_id, at, equity in self._database.execute("SELECT account_id, at, equity FROM samples ORDER BY at"):
            desks[account_id][0].account.samples.append((at, Decimal(equity)))
        return list(desks.values())

    def _next_run(self) -> int:
        number = int(self._meta("run") or b"0") + 1
        self._set_meta("run", str(number).encode())
        return number

    def _meta(self, key: str) -> bytes | None:
        row = self._database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0], "ascii") if isinstance(row[0], str) else row[0]

    def _set_meta(self, key: str, value: bytes) -> None:
        with self._database as database:
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _encode_account(account: TradingAccount) -> bytes:
    state = AccountState(
        account_id=account.account_id,
        number=account.number,
        created_at=account.created_at,
        start_cash=account.start_cash,
        cash=account.cash,
        last_equity=account.last_equity,
        holdings=list(account.holdings.values()),
        configuration=account.configuration,
        watchlists=list(account.watchlists.values()),
    )
    return msgspec.msgpack.encode(state)


def _decode_account(data: bytes) -> TradingAccount:
    state = msgspec.msgpack.decode(data, type=AccountState)
    account = TradingAccount(state.account_id, state.number, state.created_at, state.start_cash)
    account.cash = state.cash
    account.last_equity = state.last_equity
    account.holdings = {holding.symbol: holding for holding in state.holdings}
    account.configuration = state.configuration
    account.watchlists = {found.list_id: found for found in state.watchlists}
    return account


def _explain(path: Path, error: Exception) -> UnavailableError | DataError:
    if "locked" in str(error):
        return UnavailableError(
            f"Another exchange is using {path}.", "Stop it, or give this one a folder of its own with --state."
        )
    if isinstance(error, OSError):
        return UnavailableError(f"The exchange cannot use {path.parent}: {error}.", "Choose another --state folder.")
    return DataError(
        f"The exchange's state in {path} cannot be read: {error}.",
        "Move the file away to start with fresh accounts, or restore it from a backup.",
    )
