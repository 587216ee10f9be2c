"""The market database while things break: a writer killed in mid-batch, a full disk, a server that goes and comes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.domain.market import NANOSECONDS
from engine.storage.market.backup import inspect
from engine.storage.market.recording import LONGEST_PAUSE, Recording
from engine.storage.market.store import open_store
from engine.streams.messages import Quotes, RecorderStatus
from tests.services import Postgres
from tests.storage.market_rows import NOW, Database, delivery, quote

WRITER = """
import asyncio, sys
import msgspec
from engine.storage.market.address import MarketAddress
from engine.storage.market.rows import quote_rows
from engine.storage.market.store import open_store
from tests.storage.market_rows import quote

async def main():
    store = open_store(msgspec.json.decode(sys.argv[1], type=MarketAddress))
    await store.open()
    for batch in range(1_000_000):
        await store.write({"normalized_data": list(quote_rows(quote(batch * 100 + at) for at in range(100)))})
        print(batch + 1, flush=True)

asyncio.run(main())
"""
FULL_DISK = """
import asyncio, resource, signal, sys
from engine.clock import ManualClock
from engine.storage.market.address import MarketAddress
from engine.storage.market.recording import Recording
from engine.storage.market.store import open_store
from engine.streams.messages import Quotes
from tests.storage.market_rows import NOW, delivery, quote

async def main():
    address = MarketAddress(path=sys.argv[1])
    recording = Recording(address, open_store(address), ManualClock(NOW), {}, raw=False)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    taken = 0
    async def step():
        nonlocal taken
        recording.take([delivery(Quotes([quote(taken + at) for at in range(2_000)]))])
        taken += 2_000
        await recording.step()
    await step()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    while not recording.error:
        await step()
    await step()
    print(recording.error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await step()
    status = recording.status()
    print(taken, status.rows, status.dropped, status.waiting, status.error or "written again")
    await recording.finish()

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_writer_killed_in_mid_batch_leaves_whole_batches_and_all_it_confirmed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = (
        Database.in_file(tmp_path) if kind == "sqlite" else Database.on_server(request.getfixturevalue("postgres"))
    )
    address = f'{{"path": "{database.address.path}", "url": "{database.address.url}"}}'
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, address, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    confirmed = 0
    while confirmed < 30:
        confirmed = int(await asyncio.wait_for(process.stdout.readline(), 30))
    os.kill(process.pid, signal.SIGKILL)
    confirmed = max([confirmed, *map(int, (await process.stdout.read()).split())])
    await process.wait()
    store = open_store(database.address)
    await store.open()
    await store.close()
    rows = database.count("normalized_data")
    assert rows % 100 == 0
    assert rows // 100 in (confirmed, confirmed + 1)
    if kind == "sqlite":
        assert inspect(Path(database.address.path))[1]["normalized_data"] == rows


async def test_a_full_disk_is_told_rows_wait_and_all_are_written_when_there_is_space(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL_DISK, str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    lines = out.decode().splitlines()
    assert len(lines) == 2, errors.decode()
    assert "disk" in lines[0]
    assert "full" in lines[0]
    taken, rows, dropped, waiting, *said = lines[1].split()
    assert (dropped, waiting, " ".join(said)) == ("0", "0", "written again")
    assert inspect(path)[1]["normalized_data"] == int(taken)
    assert int(rows) >= int(taken)


def recording_of(database: Database, clock: ManualClock, most_rows: int = 200_000) -> Recording:
    found = Recording(database.address, open_store(database.address), clock, {}, raw=False)
    found.backlog._most = most_rows
    return found


def take(recording: Recording, start: int, count: int) -> None:
    recording.take([delivery(Quotes([quote(at) for at in range(start, start + count)]))])


async def test_rows_wait_while_postgres_is_away_and_come_once_each_when_it_is_back(postgres: Postgres) -> None:
    database, clock = Database.on_server(postgres), ManualClock(NOW)
    recording = recording_of(database, clock)
    take(recording, 0, 100)
    await recording.step()
    postgres.kill()
    pauses = []
    for number in range(1, 8):
        take(recording, number * 100, 100)
        clock.advance(1)
        assert await recording.step() == 0
        pauses.append(recording.pause)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    status = recording.status()
    assert (status.waiting >= 700, status.lag >= 6, "s3cret" in status.error, status.dropped) == (True, True, False, 0)
    postgres.start()
    await recording.step()
    assert database.count("normalized_data") == 800
    assert recording.status().error == ""
    await recording.finish()


async def test_what_a_long_absence_costs_is_the_oldest_and_counted(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    recording = recording_of(database, ManualClock(NOW), most_rows=250)
    await recording.step()
    postgres.stop()
    for number in range(5):
        take(recording, number * 100, 100)
        await recording.step()
    postgres.start()
    await recording.step()
    kept = {(int(at) - NOW) // NANOSECONDS for at in database.query("SELECT timestamp FROM normalized_data")}
    status = recording.status()
    assert max(kept) == 499
    assert kept == set(range(min(kept), 500))
    assert len(kept) == 500 - recording.backlog.dropped["normalized_data"]
    assert status.dropped == recording.backlog.dropped.total() >= 250
    await recording.finish()


async def test_a_recorder_that_starts_before_its_server_writes_when_it_comes(postgres: Postgres) -> None:
    database = Database.on_server(postgres)
    postgres.stop()
    recording = recording_of(database, ManualClock(NOW))
    take(recording, 0, 10)
    assert await recording.step() == 0
    assert "away" in recording.status().error
    postgres.start()
    await recording.step()
    await recording.finish()
    assert database.count("normalized_data") == 10


async def test_a_server_that_answers_nothing_is_given_up_and_nothing_comes_twice(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COMMAND_TIMEOUT", "CONNECT_TIMEOUT"):
        monkeypatch.setattr(f"engine.storage.market.postgres.{name}", 0.3)
    database = Database.on_server(postgres)
    recording = recording_of(database, ManualClock(NOW))
    await recording.step()
    await recording._store.close()
    postgres.pause()
    take(recording, 0, 10)
    await recording.step()
    status: RecorderStatus = recording.status()
    postgres.resume()
    assert status.error
    await recording.step()
    await recording.finish()
    assert database.count("normalized_data") == 10
