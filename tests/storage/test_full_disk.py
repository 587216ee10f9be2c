"""A disk that is really full: a child that may write no more bytes (RLIMIT_FSIZE) is refused, and nothing is half written."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from engine.domain.errors import OrderError
from engine.storage.journal import open_journal
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
