"""A backup of everything: made while others write, proved whole, put back; and told plainly when it is not whole."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.bus import DeadLetter
from engine.config import load_settings
from engine.config.settings import Settings
from engine.domain.errors import AlreadyRunningError, ConfigurationError, DataError
from engine.domain.events import SystemEvent
from engine.installation import Installation
from engine.orchestrator.watch_list import WatchList
from engine.storage.backup.create import create
from engine.storage.backup.keep import backups, thin_out
from engine.storage.backup.lake_list import read_list
from engine.storage.backup.manifest import CHECKSUM, FILE, Manifest, read_manifest
from engine.storage.backup.restore import Restored, restore
from engine.storage.backup.source import source_of
from engine.storage.backup.verify import verify
from engine.storage.dead_letters import DeadLetterFile
from engine.storage.files import measure
from engine.storage.incidents import IncidentFile
from engine.storage.journal import open_journal
from engine.storage.market.sqlite import SqliteStore
from engine.storage.snapshots import SnapshotStore
from tests.namespace import NAMESPACE, may_mount
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database, one_of_each
from tests.storage.test_journal import fill, order, read

SECOND = 1_000_000_000


@pytest.fixture
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the user who runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with something in every place."""
    data = tmp_path_factory.mktemp("installed")
    asyncio.run(fill_in(Installation(data, "demo")))
    (data / "paddock.toml").write_text('symbols = ["SPY"]\n[alpaca.paper]\nkey = "PK"\nsecret = "hidden"\n')
    return data


async def fill_in(here: Installation) -> None:
    with here:
        journal, _ = open_journal(here.journal)
        await journal.append(order(1), order(2), fill(1))
        await journal.close()
        letters = DeadLetterFile(here.dead_letters)
        event = SystemEvent(event_id="e", timestamp=1, component="c", state="s", message="m")
        letters.keep([(DeadLetter(event=event, handler="h", error="e", detail="d", attempts=1), NOW)])
        letters.close()
        IncidentFile(here.incidents).close()
        await WatchList(here.watch_list, ["SPY"], ()).add("QQQ")
        SnapshotStore(here.snapshots).save(b"state", NOW)
        store = SqliteStore(here.market_database)
        await store.open()
        await store.write(one_of_each())
        await store.close()
        for path in (here.lake / "iex" / "SPY.parquet", here.backtests / "R1" / "result.json", here.logs / "feed.log"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"content of " + path.name.encode())


@pytest.fixture
def settings(installed: Path, tmp_path: Path, no_configuration: None) -> Settings:
    """Of an installation with something in every place."""
    shutil.copytree(installed, tmp_path / "data")
    return load_settings(tmp_path / "data")


def made(settings: Settings, folder: Path, at: int = 0, **said: Any) -> tuple[Path, Manifest]:
    """`at` seconds after NOW."""
    source = source_of(settings, market=said.pop("market", False), lake=said.pop("lake", False))
    return create(source, folder, NOW + at * SECOND, **said)


def put_back(backup: Path, data: Path, force: bool = False) -> Restored:
    return restore(backup, load_settings(data), NOW, force=force)


async def test_everything_is_in_it_and_comes_back_in_a_new_folder(settings: Settings, tmp_path: Path) -> None:
    path, manifest = made(settings, tmp_path / "backups", market=True, lake=True)
    assert manifest.journal_rows == 3 and len(manifest.journal_hash) == 64
    done = put_back(path, tmp_path / "new")
    assert done.aside is None
    assert {part.name for part in manifest.parts} == {
        "orders.db", "dead_letters.db", "incidents.db", f"snapshots/{NOW:020d}.snapshot", "market.db", "market.db.json",
        "watch_list.json", "backtests/R1/result.json", "lake.json", "lake/iex/SPY.parquet", "paddock.toml", "settings.toml",
    }  # fmt: skip
    here = Installation(tmp_path / "new", "demo")
    assert [one.client_order_id for one in (await read(here.journal)).orders] == ["demo-test-1", "demo-test-2"]
    letters = DeadLetterFile(here.dead_letters)
    assert [letter.handler for letter in letters.letters()] == ["h"]
    letters.close()
    assert SnapshotStore(here.snapshots).load().payload == b"state"
    assert WatchList(here.watch_list, ["SPY"], ()).symbols == ["SPY", "QQQ"]
    assert (here.lake / "iex" / "SPY.parquet").read_bytes() == b"content of SPY.parquet"
    with contextlib.closing(sqlite3.connect(here.market_database)) as market:
        assert market.execute("SELECT count(*) FROM realtime_candles").fetchone() == (2,)


def test_no_secret_is_in_it_and_the_restored_configuration_names_what_is_missing(
    settings: Settings, tmp_path: Path
) -> None:
    path, _ = made(settings, tmp_path / "backups")
    subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUM], cwd=path, check=True)
    for file in path.rglob("*.toml"):
        assert "hidden" not in file.read_text()
    put_back(path, tmp_path / "new")
    text = (tmp_path / "new" / "paddock.toml").read_text()
    assert "alpaca.paper.secret is a secret and was not saved" in text
    restored = load_settings(tmp_path / "new")
    assert (restored.symbols, restored.alpaca.paper.key) == (["SPY"], "PK")


async def test_one_that_is_made_while_orders_are_written_ends_with_whole_rows(
    settings: Settings, tmp_path: Path
) -> None:
    journal, _ = open_journal(Installation(settings.data, "demo").journal)
    copying = asyncio.create_task(asyncio.to_thread(made, settings, tmp_path / "backups"))
    written = 3
    while not copying.done() or written < 50:
        await journal.append(order(written), fill(written))
        written += 2
    path, manifest = await copying
    await journal.close()
    assert 3 <= manifest.journal_rows <= written
    assert verify(path).damaged == {}


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        ("orders.db", b"x", "SHA-256"),
        ("market.db", None, "is missing"),
        ("lake.json", b"", "bytes instead of"),
        (FILE, b"{", "manifest"),
        (CHECKSUM, None, "manifest"),
    ],
)
def test_what_is_damaged_is_named_and_nothing_of_it_is_restored(
    settings: Settings, tmp_path: Path, name: str, harm: bytes | None, said: str
) -> None:
    path, _ = made(settings, tmp_path / "backups", market=True)
    file = path / name
    if harm is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + harm if len(harm) == 1 and name != FILE else harm)
    with pytest.raises(DataError) as told:
        put_back(path, tmp_path / "new")
    assert said in told.value.message and (name in told.value.message or said == "manifest")
    assert told.value.remedy
    assert not (tmp_path / "new").exists()


def forge(path: Path, **changes: Any) -> None:
    """Another manifest, with a checksum that fits it."""
    (path / FILE).write_bytes(msgspec.json.encode(msgspec.structs.replace(read_manifest(path), **changes)))
    (path / CHECKSUM).write_text(f"{measure(path / FILE)[1]}  {FILE}\n")


def test_a_journal_that_was_altered_under_a_forged_manifest_is_found(settings: Settings, tmp_path: Path) -> None:
    path, manifest = made(settings, tmp_path / "backups")
    with contextlib.closing(sqlite3.connect(path / "orders.db")) as database, database:
        database.execute("UPDATE trail SET body = 'nothing' WHERE number = 2")
    parts = [
        msgspec.structs.replace(part, size_bytes=measure(path / part.name)[0], sha256=measure(path / part.name)[1])
        for part in manifest.parts
    ]
    forge(path, parts=parts)
    assert "altered at row 2" in verify(path).damaged["orders.db"]


@pytest.mark.parametrize(
    "changes", [{"environment": "../../etc"}, {"paddock": "99.0"}, {"form": 2}, {"parts": [("../../x", 1, "")]}]
)
def test_what_another_paddock_or_somebody_else_made_is_refused(
    settings: Settings, tmp_path: Path, changes: dict[str, Any]
) -> None:
    path, _ = made(settings, tmp_path / "backups")
    forge(path, **changes)
    with pytest.raises(DataError) as told:
        put_back(path, tmp_path / "new")
    assert told.value.remedy
    assert not (tmp_path / "new").exists()


def test_what_is_no_backup_is_told(tmp_path: Path, no_configuration: None) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, said in (("empty", "an empty folder"), ("file", "no backup"), ("absent", "does not exist")):
        with pytest.raises(DataError, match=said):
            verify(tmp_path / name)
    with pytest.raises(DataError, match="nothing to back up"):
        made(load_settings(tmp_path / "fresh"), tmp_path / "backups")
    assert not (tmp_path / "backups").exists()


async def test_nothing_is_overwritten_without_a_word_and_with_it_what_was_there_is_kept(
    settings: Settings, tmp_path: Path
) -> None:
    path, _ = made(settings, tmp_path / "backups")
    here = Installation(settings.data, "demo")
    journal, _ = open_journal(here.journal)
    await journal.append(order(9))
    await journal.close()
    with pytest.raises(DataError, match="holds an installation already"):
        put_back(path, settings.data)
    with here, pytest.raises(AlreadyRunningError):
        put_back(path, settings.data, force=True)
    assert len((await read(here.journal)).orders) == 3
    done = put_back(path, settings.data, force=True)
    assert len((await read(here.journal)).orders) == 2
    assert done.aside is not None
    assert len((await read(done.aside / "orders.db")).orders) == 3
    stays = (here.lake / "iex" / "SPY.parquet", here.market_database, here.logs / "feed.log")
    assert all(file.exists() for file in stays), "what the backup does not bring stays"
    assert [note for note in done.notes if "paddock.toml stays" in note]


def test_files_of_the_lake_that_are_gone_are_told_and_the_same_file_is_not_read_twice(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, manifest = made(settings, tmp_path / "backups")
    assert "only the list of its 1 files" in manifest.left_out["lake"]
    known = read_list(path / "lake.json")
    assert known is not None
    (settings.data / "demo" / "lake" / "iex" / "IBM.parquet").write_bytes(b"new")
    read_again: list[str] = []
    monkeypatch.setattr(
        "engine.storage.backup.lake_list.measure", lambda file: (read_again.append(file.name), measure(file))[1]
    )
    again, _ = made(settings, tmp_path / "backups", 1, known=known)
    assert read_again == ["IBM.parquet"]
    (note,) = [note for note in put_back(again, tmp_path / "new").notes if "of the lake's" in note]
    assert "2 of the lake's 2 files are not here" in note


def test_the_oldest_of_its_own_go_and_those_that_a_person_made_stay(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made(settings, folder)
    for at in (1, 2, 3):
        made(settings, folder, at, scheduled=True)
    left = folder / ".paddock-demo-20260101T000000Z.partial-999999999"
    left.mkdir()
    assert len(thin_out(folder, "demo", 2)) == 1
    assert [manifest.scheduled for _, manifest in backups(folder, "demo")] == [False, True, True]
    assert not left.exists()


def test_one_that_is_given_up_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(settings, tmp_path / "backups", look=stop)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_damaged_installation_is_not_backed_up_over_good_ones(settings: Settings, tmp_path: Path) -> None:
    path = Installation(settings.data, "demo").incidents
    path.write_bytes(path.read_bytes()[:2_000])
    with pytest.raises(DataError) as told:
        made(settings, tmp_path / "backups")
    assert told.value.remedy
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_damaged_market_database_or_configuration_does_not_keep_orders_from_being_saved(
    settings: Settings, tmp_path: Path
) -> None:
    Installation(settings.data, "demo").market_database.write_bytes(b"no database" * 1_000)
    (settings.data / "paddock.toml").write_text("[broken")
    path, manifest = made(settings, tmp_path / "backups", market=True)
    assert set(manifest.failed) == {"market database", "configuration file"}
    assert all(". " in why for why in manifest.failed.values()), "a remedy follows the reason"
    assert verify(path).damaged == {} and (path / "orders.db").is_file()


def test_where_it_cannot_be_is_refused(settings: Settings) -> None:
    with pytest.raises(DataError, match="within what is backed up"):
        made(settings, settings.data / "demo" / "backups")
    replay = settings.model_copy(update={"exchange": settings.exchange.model_copy(update={"replay": Path("/x")})})
    with pytest.raises(ConfigurationError, match="replay"):
        source_of(replay, market=True, lake=False)


async def test_the_market_database_of_a_server_is_saved_and_replaced_only_when_asked(
    postgres: Postgres, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is not on the path")
    database = Database.on_server(postgres)
    monkeypatch.setenv("PADDOCK_MARKET_DATABASE__URL", database.address.url)
    from engine.storage.market.store import open_store

    store = open_store(database.address)
    await store.open()
    await store.write(one_of_each())
    await store.close()
    path, manifest = made(load_settings(settings.data), tmp_path / "backups", market=True)
    assert manifest.has("market.dump")
    assert postgres.PASSWORD not in "".join(file.read_text() for file in path.glob("*.toml"))
    database.query("DELETE FROM realtime_candles")
    with pytest.raises(DataError, match="holds a market database already"):
        put_back(path, tmp_path / "new")
    assert not (tmp_path / "new" / "demo").exists()
    done = put_back(path, tmp_path / "new", force=True)
    assert database.count("realtime_candles") == 2
    assert any("What was there is now" in note for note in done.notes)


REFUSED = """
import sys
from pathlib import Path
from engine.config import load_settings
from engine.domain.errors import PaddockError
from engine.storage.backup import create as making
from engine.storage.backup.create import create
from engine.storage.backup.restore import restore
from engine.storage.backup.source import source_of

data, backup, small, frozen = map(Path, sys.argv[1:])
source = source_of(load_settings(data), market=False, lake=False)


def blindly():
    # As if the room had been taken only meanwhile.
    making.size_of = lambda source: 0
    create(source, small, 1)


(small / "ballast").write_bytes(b"." * 1_000_000)
for work in (
    lambda: create(source, small, 1),
    lambda: create(source, frozen, 1),
    blindly,
    lambda: restore(backup, load_settings(small / "data"), 1),
    lambda: restore(backup, load_settings(frozen / "data"), 1),
):
    try:
        work()
    except PaddockError as error:
        print(type(error).__name__, bool(error.remedy), error.message)
print(sorted(path.name for path in small.rglob("*") if path.name not in ("ballast", "data", "paddock.lock")))
"""


def test_a_full_and_a_read_only_disk_are_told_and_nothing_half_made_is_left(settings: Settings, tmp_path: Path) -> None:
    if not may_mount():
        pytest.skip("a file system cannot be mounted here, not even in a namespace of one's own")
    path, _ = made(settings, tmp_path / "backups")
    small, frozen = tmp_path / "small", tmp_path / "frozen"
    for folder in (small, frozen):
        folder.mkdir()
    mounts = f"mount -t tmpfs -o size=1m tmpfs {small} && mount -t tmpfs -o ro tmpfs {frozen}"
    script = f"{mounts} && exec {sys.executable} - {settings.data} {path} {small} {frozen}"
    run = subprocess.run([*NAMESPACE, "sh", "-c", script], input=REFUSED, capture_output=True, text=True, check=True)
    *told, left = run.stdout.splitlines()
    assert len(told) == 5, run.stdout
    assert all(" True " in line for line in told)
    words = ("has room for", "read-only", "full", "has room for", "read-only")
    assert all(word in line.lower() for word, line in zip(words, told, strict=True)), told
    assert left == "[]"
