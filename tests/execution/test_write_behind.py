"""What the disk refuses for a while is written before anything is sent that rests on it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.errors import OrderError
from engine.domain.orders import Order, OrderType, Side, TimeInForce
from engine.execution import write_behind
from engine.execution.write_behind import WriteBehind
from engine.storage.journal import Journal, open_journal
from engine.storage.trail import Fact, Recovered
from tests.waiting import until

LONG = "x" * 100_000
"""Of a message that needs pages of its own."""


def order(key: str, message: str = "") -> Order:
    return Order(
        client_order_id=key, symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY, sleeve="test", created_at=1, message=message,
    )  # fmt: skip


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened, _ = open_journal(tmp_path / "orders.db")
    yield opened
    await opened.close()


@contextmanager
def full(database: sqlite3.Connection) -> Iterator[None]:
    [pages] = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    yield
    database.execute("PRAGMA max_page_count = 1000000")


async def refused(behind: WriteBehind, told: Order) -> None:
    behind.write(told)
    await until(lambda: len(behind) == 1)


async def kept(journal: Journal, folder: Path) -> Recovered:
    """What the next start finds."""
    await journal.close()
    again, recovered = open_journal(folder / "orders.db")
    await again.close()
    return recovered


async def test_what_was_refused_is_written_before_the_next_order(journal: Journal, tmp_path: Path) -> None:
    told = order("exit", LONG)
    behind = WriteBehind(journal, {"exit": told}.get)
    with full(journal._database):
        await refused(behind, told)
    await behind.append(order("change"))
    assert len(behind) == 0
    with sqlite3.connect(tmp_path / "orders.db") as reader:
        assert reader.execute("SELECT key FROM trail ORDER BY number").fetchall() == [("exit",), ("change",)]
    reader.close()


async def test_while_the_disk_is_full_nothing_is_sent_and_what_was_told_is_tried_again(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "AGAIN", 0.01)
    told = order("exit", LONG)
    behind = WriteBehind(journal, {"exit": told}.get)
    with full(journal._database):
        await refused(behind, told)
        with pytest.raises(OrderError, match="full"):
            await behind.append(order("change"))
    await until(lambda: len(behind) == 0)
    recovered = await kept(journal, tmp_path)
    assert [one.client_order_id for one in recovered.orders] == ["exit"]


async def test_the_disk_holds_what_was_told_in_its_sequence(journal: Journal, tmp_path: Path) -> None:
    """What would still fit waits for what does not: a crash must not leave the end of a story without its beginning."""
    told, small = order("exit", LONG), order("sibling")
    behind = WriteBehind(journal, {"exit": told, "sibling": small}.get)
    with full(journal._database):
        await refused(behind, told)
        behind.write(small)
        assert len(behind) == 2
    await until(lambda: len(behind) == 0)
    with sqlite3.connect(tmp_path / "orders.db") as reader:
        assert reader.execute("SELECT key FROM trail ORDER BY number").fetchall() == [("exit",), ("sibling",)]
    reader.close()


async def test_what_was_written_together_and_refused_is_written_in_one_commit(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_behind, "AGAIN", 0.01)
    told = order("exit", LONG)
    behind = WriteBehind(journal, {"exit": told}.get)
    commits: list[list[str]] = []
    put = journal._writer.put
    monkeypatch.setattr(
        journal._writer, "put", lambda work: (commits.append([row.key for row in work.rows]), put(work))
    )
    with full(journal._database):
        behind.write(Fact("booking/moved", "{}"), told)
        await until(lambda: len(behind) == 2)
    await until(lambda: len(behind) == 0)
    assert commits[0] == commits[-1] == ["booking/moved", "exit"]
    recovered = await kept(journal, tmp_path)
    assert recovered.facts == {"booking/moved": "{}"}
