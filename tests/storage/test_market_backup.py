"""Backups of the market database: made while it is written, proved whole, put back; on both kinds."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from engine.domain.errors import DataError, UnavailableError
from engine.storage.market.address import MarketAddress
from engine.storage.market.backup import backup, inspect, restore, verify_backup
from engine.storage.market.manifest import manifest_of
from engine.storage.market.rows import quote_rows
from engine.storage.market.sqlite import SqliteStore
from engine.storage.market.store import open_store
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database, one_of_each, quote


async def filled(database: Database) -> None:
    store = open_store(database.address)
    await store.open()
    await store.write(one_of_each())
    await store.close()


async def test_a_backup_taken_while_rows_are_written_is_whole_and_holds_whole_batches(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    store = SqliteStore(database.address.path)
    await store.open()
    copying = asyncio.create_task(asyncio.to_thread(backup, database.address, tmp_path / "b.db", NOW))
    number = 0
    while not copying.done() or number < 20:
        await store.write({"normalized_data": list(quote_rows(quote(number * 50 + at) for at in range(50)))})
        number += 1
    await copying
    await store.close()
    manifest = verify_backup(tmp_path / "b.db")
    assert manifest.rows["normalized_data"] % 50 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.db", "b.db.json", "data"]


async def test_a_restored_file_is_what_was_backed_up_and_the_old_one_is_kept(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    await filled(database)
    backup(database.address, tmp_path / "b.db", NOW)
    before = inspect(Path(database.address.path))
    store = SqliteStore(database.address.path)
    await store.open()
    await store.write({"normalized_data": list(quote_rows(quote(at) for at in range(99)))})
    await store.close()
    _, aside = restore(database.address, tmp_path / "b.db", NOW)
    assert inspect(Path(database.address.path)) == before
    assert aside is not None
    assert inspect(aside)[1]["normalized_data"] == 99


async def test_a_new_data_folder_is_filled_from_a_backup(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    await filled(database)
    backup(database.address, tmp_path / "b.db", NOW)
    fresh = Database.in_file(tmp_path / "elsewhere")
    assert restore(fresh.address, tmp_path / "b.db", NOW)[1] is None
    assert fresh.count("realtime_candles") == 2


@pytest.mark.parametrize("harm", ["changed", "cut off", "without manifest"])
async def test_a_damaged_backup_is_refused_and_the_database_stays(tmp_path: Path, harm: str) -> None:
    database = Database.in_file(tmp_path)
    await filled(database)
    path = tmp_path / "b.db"
    backup(database.address, path, NOW)
    if harm == "without manifest":
        manifest_of(path).unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-10] if harm == "cut off" else content[:5_000] + b"x" + content[5_001:])
    with pytest.raises(DataError) as told:
        restore(database.address, path, NOW)
    assert told.value.remedy
    assert database.count("realtime_candles") == 2


async def test_a_backup_never_overwrites_and_leaves_no_piece_behind(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    with pytest.raises(DataError, match="no market database"):
        backup(database.address, tmp_path / "b.db", NOW)
    assert not list(tmp_path.glob("b.db*"))
    await filled(database)
    backup(database.address, tmp_path / "b.db", NOW)
    with pytest.raises(DataError, match="exists already"):
        backup(database.address, tmp_path / "b.db", NOW)


async def test_postgres_is_backed_up_and_restored_by_its_own_tools(postgres: Postgres, tmp_path: Path) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not on the path")
    database = Database.on_server(postgres)
    await filled(database)
    backup(database.address, tmp_path / "b.dump", NOW)
    assert verify_backup(tmp_path / "b.dump").kind == "PostgreSQL"
    database.query("DELETE FROM realtime_candles")
    database.query("CREATE TABLE of_somebody_else (number int)")
    restore(database.address, tmp_path / "b.dump", NOW)
    assert database.count("of_somebody_else") == 0
    await filled(database)
    assert database.count("realtime_candles") == 2
    with pytest.raises(DataError, match="backup of PostgreSQL"):
        restore(Database.in_file(tmp_path).address, tmp_path / "b.dump", NOW)


def test_without_pg_dump_the_command_to_run_is_named_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(UnavailableError) as told:
        backup(MarketAddress(url="postgresql://u:hidden@h/d"), tmp_path / "b.dump", NOW)
    assert "pg_dump --format=custom" in told.value.remedy
    assert "hidden" not in str(told.value)
