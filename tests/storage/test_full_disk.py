"""A disk that is really full: a child that may write no more bytes (RLIMIT_FSIZE) is refused, and nothing is half written."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from engine.domain.errors import OrderError
from engine.storage.journal import open_journal
from tests.namespace import NAMESPACE, may_mount
from tests.storage.test_journal import order, read

FILLER = """
import asyncio, resource, signal, sys
from pathlib import Path
from engine.domain.errors import OrderError
from engine.storage.journal import open_journal
from tests.storage.test_journal import order

async def main():
    journal, _ = open_journal(Path(sys.argv[1]))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    number = 0
    try:
        while True:
            await journal.append(order(number))
            number += 1
    except OrderError as error:
        print(number, error.remedy)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.append(order(number))
    print("space again")
    if sys.argv[2] == "close":
        await journal.close()
    else:
        sys.stdout.flush()
        signal.raise_signal(signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["close", "kill"])
async def test_a_full_disk_refuses_the_row_keeps_the_others_and_goes_on_when_there_is_space(
    tmp_path: Path, end: str
) -> None:
    path = tmp_path / "orders.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FILLER, str(path), end, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    lines = out.decode().splitlines()
    assert len(lines) == 2, errors.decode()
    written = int(lines[0].split()[0])
    assert written > 10
    assert "Free space" in lines[0]
    assert [one.created_at for one in (await read(path)).orders][-5:] == list(range(written - 4, written + 1))


async def test_what_comes_after_the_end_is_refused_at_once(tmp_path: Path) -> None:
    journal, _ = open_journal(tmp_path / "orders.db")
    await journal.append(order(1))
    await journal.close()
    with pytest.raises(OrderError, match="closed"):
        await asyncio.wait_for(journal.append(order(2)), 5)
    assert [one.created_at for one in (await read(tmp_path / "orders.db")).orders] == [1]


OPENER = """
import asyncio, sys
from pathlib import Path
from engine.domain.errors import PaddockError
from engine.orchestrator.dead_letters import _open
from engine.storage.dead_letters import DeadLetterFile
from engine.storage.journal import open_journal
from tests.storage.test_journal import order

folder = Path(sys.argv[1])

async def write():
    journal, _ = open_journal(folder / "orders.db")
    await journal.append(order(1))
    await journal.close()

asyncio.run(write())
DeadLetterFile(folder / "letters.db").close()
with (folder / "ballast").open("wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(b"." * 4096)
    except OSError:
        pass
for name, work in (("orders.db", open_journal), ("letters.db", _open)):
    try:
        work(folder / name)
    except PaddockError as error:
        print(error.remedy)
print(sorted(path.name for path in folder.glob("*.db")))
(folder / "ballast").unlink()
asyncio.run(write())
print("space again")
"""


def test_files_that_are_whole_stay_in_their_place_when_a_start_finds_the_disk_full(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=2m tmpfs {tmp_path} && exec {sys.executable} - {tmp_path}"
    if not may_mount():
        pytest.skip("a file system cannot be mounted here, not even in a namespace of one's own")
    run = subprocess.run([*NAMESPACE, "sh", "-c", mount], input=OPENER, capture_output=True, text=True, check=True)
    *remedies, files, last = run.stdout.splitlines()
    assert len(remedies) == 2
    assert all("Free space" in said and "leave it there" in said for said in remedies)
    assert files == "['letters.db', 'orders.db']"
    assert last == "space again"
