"""The market database in a real file and on a real PostgreSQL: the same promises, whichever it is."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.domain.errors import CredentialsError, DataError, UnavailableError
from engine.storage.market.address import MarketAddress
from engine.storage.market.chunks import unpack
from engine.storage.market.partitions import DAY
from engine.storage.market.rows import KEYS, candle_rows, quote_rows
from engine.storage.market.sqlite import SqliteStore
from engine.storage.market.store import RefusedRowsError, Store, open_store
from engine.storage.market.tables import TABLES
from engine.storage.market.writing import write_what_can_be
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database, bar, one_of_each, quote


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database.in_file(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Database.on_server(server)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    opened = open_store(database.address)
    await opened.open()
    yield opened
    await opened.close()


async def test_every_message_becomes_rows_of_its_table(database: Database, store: Store) -> None:
    assert await store.write(one_of_each()) == 14
    assert {table: database.count(table) for table in KEYS} == {
        "stream_messages": 1, "normalized_data": 2, "realtime_candles": 2, "technical_indicators": 0,
        "system_metrics": 8, "processing_results": 1,
    }  # fmt: skip
    assert database.query("SELECT symbol, timeframe, close FROM realtime_candles ORDER BY timestamp") == [
        "SPY|1m|1.5", "SPY|1m|1.6",
    ]  # fmt: skip
    assert database.query("SELECT messages, topic FROM stream_messages") == ["4|topic"]


async def test_a_batch_that_is_given_again_changes_nothing(database: Database, store: Store) -> None:
    batch = one_of_each()
    await store.write(batch)
    before = {table: sorted(database.query(f"SELECT * FROM {table}")) for table in KEYS}
    await store.write(batch)
    assert {table: sorted(database.query(f"SELECT * FROM {table}")) for table in KEYS} == before


async def test_a_revised_bar_replaces_the_older_revision_and_never_the_newer(database: Database, store: Store) -> None:
    for found in (bar(1.0), bar(3.0, revision=2), bar(2.0, revision=1)):
        await store.write({"realtime_candles": list(candle_rows([found]))})
    assert database.query("SELECT close, revision FROM realtime_candles") in (["3.0|2"], ["3|2"])


async def test_a_batch_is_written_whole_or_not_at_all(database: Database, store: Store) -> None:
    good, bad = list(candle_rows([bar(1.0)])), (NOW, None, *(None,) * 6)
    with pytest.raises(RefusedRowsError):
        await store.write({"realtime_candles": good, "normalized_data": [bad]})
    assert database.count("realtime_candles") == 0


async def test_a_row_that_no_database_takes_is_found_and_costs_no_other(database: Database, store: Store) -> None:
    rows = list(quote_rows(quote(number) for number in range(50)))
    rows[17] = (rows[17][0], None, *rows[17][2:])
    batch = {"normalized_data": rows, "realtime_candles": list(candle_rows([bar(1.0)]))}
    assert await write_what_can_be(store, batch) == (50, 1)
    assert database.count("normalized_data") == 49
    assert database.count("realtime_candles") == 1


async def test_what_is_older_than_the_days_kept_is_removed_and_counted(database: Database, store: Store) -> None:
    old, new = quote(), quote(3 * 86_400)
    await store.write(
        {"normalized_data": list(quote_rows([old, new])), "realtime_candles": list(candle_rows([bar(1)]))}
    )
    days = {"normalized_data": 2, "realtime_candles": 0}
    assert await store.expire(days, NOW + 3 * DAY) == {"normalized_data": 1}
    assert await store.expire(days, NOW + 3 * DAY) == {}
    assert database.query("SELECT timestamp FROM normalized_data") == [str(new.timestamp)]
    assert database.count("realtime_candles") == 1
    await store.write({"normalized_data": list(quote_rows([old]))})
    assert database.count("normalized_data") == 2


async def test_the_state_names_the_form_the_size_and_every_table(store: Store) -> None:
    await store.write(one_of_each())
    state = await store.state()
    assert (state.version, set(state.rows), state.size_bytes > 0) == ("0002", set(TABLES), True)
    assert "s3cret" not in state.where


async def test_several_writers_at_once_lose_nothing(database: Database, store: Store) -> None:
    other = open_store(database.address)
    await other.open()

    async def write(writer: Store, symbol: str) -> None:
        for start in range(0, 100, 10):
            rows = list(quote_rows(quote(at * 86_400 // 50, symbol) for at in range(start, start + 10)))
            await writer.write({"normalized_data": rows})

    await asyncio.gather(write(store, "SPY"), write(other, "IBM"))
    await other.close()
    assert database.query("SELECT symbol, count(*) FROM normalized_data GROUP BY symbol ORDER BY symbol") == [
        "IBM|100", "SPY|100",
    ]  # fmt: skip


async def test_raw_messages_are_read_back_as_they_came(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    store = SqliteStore(database.address.path)
    await store.open()
    await store.write(one_of_each())
    await store.close()
    reader = sqlite3.connect(database.address.path)
    body = reader.execute("SELECT body FROM stream_messages").fetchone()[0]
    reader.close()
    kinds = [type(found.message).__name__ for found in unpack(body)]
    assert kinds == ["Candles", "Quotes", "Signals", "FeedStatus"]
    with pytest.raises(DataError, match=r"damaged|cut off"):
        unpack(body[:-9])


async def test_a_locked_file_is_told_as_away_and_the_batch_can_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.storage.market.sqlite.BUSY_TIMEOUT", 0.01)
    database = Database.in_file(tmp_path)
    store = SqliteStore(database.address.path)
    await store.open()
    other = sqlite3.connect(database.address.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="locked"):
        await store.write(one_of_each())
    other.execute("COMMIT")
    other.close()
    assert await store.write(one_of_each()) == 14
    await store.close()


async def test_a_file_that_is_no_database_is_told_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "market.db").write_bytes(b"not a database at all" * 100)
    store = SqliteStore(tmp_path / "market.db")
    with pytest.raises(DataError) as error:
        await store.open()
    await store.close()
    assert "move it aside" in error.value.remedy


@pytest.mark.parametrize("user", ["paddock:mistaken", "nobody:mistaken"])
async def test_a_wrong_password_is_told_without_showing_it(postgres: Postgres, user: str) -> None:
    store = open_store(MarketAddress(url=f"postgresql://{user}@127.0.0.1:{postgres.port}/postgres"))
    with pytest.raises(CredentialsError) as told:
        await store.open()
    assert "mistaken" not in str(told.value)


async def test_a_database_that_is_not_there_is_told_with_a_remedy(postgres: Postgres) -> None:
    store = open_store(MarketAddress(url=postgres.url("nosuch")))
    with pytest.raises(DataError, match="nosuch") as told:
        await store.open()
    assert "createdb" in told.value.remedy


async def test_postgres_that_stops_is_away_and_comes_back_without_doubles(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    store = open_store(database.address)
    await store.open()
    await store.write(one_of_each())
    postgres.stop()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="away"):
            await store.write(one_of_each())
    postgres.start()
    await store.write(one_of_each())
    await store.close()
    assert database.count("realtime_candles") == 2
    assert database.count("stream_messages") == 1
