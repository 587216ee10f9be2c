"""The forms of the market database: up, down, two at once, an old user's file; each on a real file and a real server."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from engine.domain.errors import DataError
from engine.storage.market import postgres, schema, sqlite
from engine.storage.market.store import open_store
from engine.storage.market.tables import TABLES, metadata
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database

OLD_SCHEMA = """
CREATE TABLE bars (
    symbol TEXT, timeframe TEXT, timestamp INTEGER, open REAL, high REAL, low REAL, close REAL, volume REAL,
    trade_count INTEGER, vwap REAL, PRIMARY KEY (symbol, timeframe, timestamp)
) WITHOUT ROWID;
CREATE TABLE quotes (
    symbol TEXT, timestamp INTEGER, bid REAL, ask REAL, bid_size REAL, ask_size REAL, last REAL,
    PRIMARY KEY (symbol, timestamp)
) WITHOUT ROWID;
CREATE TABLE signals (
    signal_id TEXT PRIMARY KEY, sleeve TEXT, strategy TEXT, symbol TEXT, weight REAL, confidence REAL, price REAL,
    as_of INTEGER, made_at INTEGER, reason TEXT
) WITHOUT ROWID;
"""
"""What the recorder of version 0.1.0 made."""


def old_file(path: Path, rows: int = 1_000) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executescript(OLD_SCHEMA)
        for at in range(rows):
            bar = ("SPY", "1s", NOW + at, 1.0, 2.0, 0.5, at / 7, 10.0, 3, 1.25)
            database.execute("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", bar)
            database.execute("INSERT INTO quotes VALUES ('SPY', ?, 1, 2, 3, 4, ?)", (NOW + at, at / 7))
            signal = (str(at), "sma", "sma-cross", "SPY", 0.5, 0.9, 2.0, NOW, NOW + at, "crossed")
            database.execute("INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", signal)


async def opened(path: Path) -> None:
    store = sqlite.SqliteStore(path)
    await store.open()
    await store.close()


def migrate(path: Path, target: str) -> None:
    with contextlib.closing(sqlite.connect(path)) as database:
        sqlite.migrate(database, target)


def content(path: Path, *queries: str) -> list[list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [database.execute(query).fetchall() for query in queries]


OLD_ROWS = ("SELECT * FROM bars", "SELECT * FROM quotes", "SELECT * FROM signals ORDER BY signal_id")


def test_the_newest_form_is_the_one_this_version_writes() -> None:
    script = ScriptDirectory(str(schema.FOLDER))
    assert script.get_current_head() == schema.HEAD


async def test_an_old_users_file_is_carried_over_without_loss_and_back(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    old_file(path)
    before = content(path, *OLD_ROWS)
    await opened(path)
    bars, quotes, results, old = content(
        path,
        "SELECT symbol, timeframe, timestamp, open, high, low, close, volume, trade_count, vwap FROM realtime_candles",
        "SELECT symbol, timestamp, bid, ask, bid_size, ask_size, last FROM normalized_data",
        "SELECT result_id, sleeve, strategy, symbol, weight, confidence, price, as_of, timestamp, reason"
        " FROM processing_results ORDER BY result_id",
        "SELECT name FROM sqlite_master WHERE name IN ('bars', 'quotes', 'signals')",
    )
    assert [bars, quotes, results] == before
    assert old == []
    migrate(path, "0001")
    assert content(path, *OLD_ROWS) == before


async def test_a_fresh_file_equals_a_migrated_one_and_the_tables_of_the_code(tmp_path: Path) -> None:
    fresh, migrated = tmp_path / "fresh.db", tmp_path / "migrated.db"
    old_file(migrated)
    for path in (fresh, migrated):
        await opened(path)
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert content(fresh, query) == content(migrated, query)
    engine = create_engine(f"sqlite:///{fresh}", poolclass=NullPool)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_down_to_nothing_and_up_again(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    await opened(path)
    migrate(path, "base")
    assert content(path, "SELECT name FROM sqlite_master ") == [[]]
    await opened(path)
    assert {name for (name,) in content(path, "SELECT name FROM sqlite_master WHERE type = 'table'")[0]} >= set(TABLES)


async def test_two_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    old_file(path)
    await asyncio.gather(*(opened(path) for _ in range(4)))
    assert content(path, "SELECT version_num FROM alembic_version", "SELECT count(*) FROM realtime_candles") == [
        [(schema.HEAD,)],
        [(1_000,)],
    ]


async def test_a_migration_that_breaks_off_leaves_the_old_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "market.db"
    old_file(path)
    before = content(path, *OLD_ROWS)
    whole = schema.statements("sqlite", None)
    monkeypatch.setattr(schema, "statements", lambda *_: [*whole[:-1], "INSERT INTO nowhere VALUES (1)"])
    with pytest.raises(Exception, match="nowhere"):
        await opened(path)
    monkeypatch.undo()
    assert content(path, *OLD_ROWS) == before
    await opened(path)


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    await opened(path)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="9999") as told:
        await opened(path)
    assert "newer version" in told.value.remedy


async def test_postgres_goes_up_down_and_up_and_four_at_once_migrate_once(postgres: Postgres) -> None:
    database = Database.on_server(postgres)

    async def start() -> None:
        store = open_store(database.address)
        await store.open()
        await store.close()

    await asyncio.gather(*(start() for _ in range(4)))
    before = described(database)
    await to_form(database, "base")
    assert database.query("SELECT count(*) FROM pg_class WHERE relname = 'realtime_candles'") == ["0"]
    await start()
    assert described(database) == before


async def test_a_migrated_postgres_equals_the_tables_of_the_code(postgres: Postgres) -> None:
    migrated, made = Database.on_server(postgres), Database.on_server(postgres)
    await to_form(migrated, schema.HEAD)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in TABLES.values():
        for element in [CreateTable(table), *map(CreateIndex, table.indexes)]:
            made.query(str(element.compile(dialect=dialect)))  # type: ignore[attr-defined]
    assert described(migrated) == described(made)


async def to_form(database: Database, target: str) -> None:
    connection = await postgres.connect(database.address)
    await postgres.migrate(connection, target)
    await connection.close()


def described(database: Database) -> list[str]:
    """Columns, keys, indexes and partitioning."""
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, ordinal_position"
    )
    indexes = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
    )
    partitions = "SELECT partrelid::regclass, pg_get_partkeydef(partrelid) FROM pg_partitioned_table ORDER BY 1::text"
    return [row for query in (columns, indexes, partitions) for row in database.query(query)]


def test_the_folder_of_steps_is_what_alembics_own_commands_take() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.FOLDER))
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert steps == ["0002", "0001"]
