"""Time on a server: partitions on plain PostgreSQL, and what TimescaleDB would be told.

There is no TimescaleDB here: a connection that answers as one would writes down the statements it is given. That they
run on a real one is not proved by these tests.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import DataError
from engine.storage.market import postgres, schema, timescale
from engine.storage.market.address import MarketAddress
from engine.storage.market.partitions import DAY, ahead, expired, named, partition_of
from engine.storage.market.postgres import PostgresStore
from engine.storage.market.rows import EARLIEST, KEYS, quote_rows
from engine.storage.market.store import open_store
from engine.storage.market.tables import TABLES
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database, quote

times = st.integers(EARLIEST, NOW + 100 * 365 * DAY)
names = st.sampled_from(sorted(KEYS))


@given(names, times)
def test_a_partition_holds_its_rows_and_touches_the_next(table: str, at: int) -> None:
    part = partition_of(table, at)
    assert part.start <= at < part.end
    assert partition_of(table, part.start) == partition_of(table, part.end - 1) == part == named(part.name)
    assert partition_of(table, part.end).start == part.end


@given(names, times, st.integers(1, 400))
def test_only_partitions_whose_last_row_is_too_old_expire(table: str, at: int, days: int) -> None:
    part = partition_of(table, at)
    assert expired([part.name], days, part.end + days * DAY) == [part.name]
    assert expired([part.name, "a_table_of_the_user", f"{table}_p20260231"], days, part.end + days * DAY - 1) == []


async def test_partitions_are_there_before_their_time_and_are_dropped_when_old(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    store = open_store(database.address)
    await store.open()
    await store.expire({}, NOW)
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = '{}'::regclass ORDER BY 1"
    for table in KEYS:
        assert database.query(query.format(table)) == [part.name for part in ahead(table, NOW)]
    await store.expire({"normalized_data": 1}, NOW + 2 * DAY)
    assert ahead("normalized_data", NOW)[0].name not in database.query(query.format("normalized_data"))
    await store.close()


async def test_a_partition_that_somebody_dropped_costs_no_row(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    store = open_store(database.address)
    await store.open()
    rows = {"normalized_data": list(quote_rows([quote()]))}
    await store.write(rows)
    database.query(f"DROP TABLE {partition_of('normalized_data', NOW).name}")
    assert await store.write(rows) == 1
    assert database.count("normalized_data") == 1
    await store.close()


async def test_a_database_whose_tables_somebody_dropped_is_told_with_a_remedy(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    store = open_store(database.address)
    await store.open()
    database.query("DROP TABLE normalized_data")
    with pytest.raises(DataError, match="normalized_data") as told:
        await store.write({"normalized_data": list(quote_rows([quote()]))})
    assert "Restore a backup" in told.value.remedy
    await store.close()


class TimescaleConnection:
    """Answers as a server with TimescaleDB would, and keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def execute(self, statement: str, *_: object) -> None:
        self.told.append(statement)

    async def fetchval(self, query: str, *_: object) -> Any:
        return "timescaledb" in query

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    def is_closed(self) -> bool:
        return False


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    connection = TimescaleConnection()

    async def connect(_: MarketAddress) -> TimescaleConnection:
        return connection

    monkeypatch.setattr(postgres, "connect", connect)
    store = PostgresStore(MarketAddress(url="postgresql://u:p@h/d"))
    await store.open()
    await store.expire({"stream_messages": 3, "realtime_candles": 0}, NOW)
    return connection.told


def test_timescaledb_gets_hypertables_compression_aggregates_and_retention(told: list[str]) -> None:
    for table in TABLES:
        created = next(statement for statement in told if statement.startswith(f"CREATE TABLE {table} "))
        assert "PARTITION BY" not in created
        order = [
            next(at for at, statement in enumerate(told) if begin in statement)
            for begin in (
                f"CREATE TABLE {table} ",
                f"create_hypertable('{table}', 'timestamp'",
                f"set_integer_now_func('{table}'",
                f"ALTER TABLE {table} SET (timescaledb.compress",
                f"add_compression_policy('{table}'",
            )
        ]
        assert order == sorted(order)
    for frame in timescale.FRAMES:
        view = next(statement for statement in told if f"MATERIALIZED VIEW candles_{frame} " in statement)
        assert view.endswith("WITH NO DATA")  # the only kind that a transaction may hold
        assert any(f"add_continuous_aggregate_policy('candles_{frame}'" in statement for statement in told)
    assert f"SELECT add_retention_policy('stream_messages', BIGINT '{3 * DAY}')" in told
    assert "SELECT remove_retention_policy('realtime_candles', if_exists => true)" in told
    assert not any("add_retention_policy('realtime_candles'" in statement for statement in told)
    assert not any("PARTITION OF" in statement for statement in told)


def test_what_timescaledb_compresses_by_covers_every_key() -> None:
    """A unique key must be made of columns that compression groups or orders by."""
    for name, table in TABLES.items():
        grouped = {column.strip() for column in timescale.SEGMENTS[name].split(",")} - {""}
        ordered = timescale.ORDERS.get(name, '"timestamp" DESC').replace('"', "").replace(" DESC", "")
        ordering = {column.strip() for column in ordered.split(",")}
        key = {column.name for column in table.primary_key.columns}
        assert key <= grouped | ordering <= set(table.columns.keys())
        assert "timestamp" in key


def test_a_plain_server_is_told_nothing_of_timescaledb() -> None:
    assert not [statement for statement in schema.statements("postgresql", None) if "timescale" in statement]
