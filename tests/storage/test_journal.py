"""What was written is there after a kill; what was altered is found; what cannot be written is refused, not half written."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.domain.errors import DataError, OrderError
from engine.domain.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce
from engine.storage.journal import UNTIDY, open_journal
from engine.storage.trail import Fact, Recovered, verify
from tests.waiting import until


def order(number: int, status: OrderStatus = OrderStatus.NEW) -> Order:
    return Order(
        client_order_id=f"demo-test-{number}", symbol="SPY", side=Side.BUY, quantity=Decimal("1.5"),
        type=OrderType.LIMIT, time_in_force=TimeInForce.DAY, sleeve="test", created_at=number, status=status,
        limit_price=Decimal("99.10"),
    )  # fmt: skip


def fill(number: int) -> Fill:
    return Fill(
        execution_id=f"e{number}", client_order_id=f"demo-test-{number}", venue_order_id="v", symbol="SPY",
        side=Side.BUY, quantity=Decimal(1), price=Decimal("99.1"), timestamp=number, sleeve="test",
    )  # fmt: skip


async def write(path: Path, *entries: Order | Fill | Fact) -> None:
    journal, _ = open_journal(path)
    for entry in entries:
        await journal.append(entry)
    await journal.close()


async def read(path: Path) -> Recovered:
    journal, recovered = open_journal(path)
    await journal.close()
    return recovered


def change(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        assert database.execute(statement).rowcount == 1
    database.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "orders.db"
    await write(path, order(1), order(2), fill(1), order(1, OrderStatus.FILLED), Fact("trading_state", "HALTED|test"))
    return path


async def test_the_newest_copy_of_each_order_every_fill_and_the_facts_come_back(path: Path) -> None:
    recovered = await read(path)
    assert {one.client_order_id: one.status for one in recovered.orders} == {
        "demo-test-1": OrderStatus.FILLED,
        "demo-test-2": OrderStatus.NEW,
    }
    assert recovered.fills == [fill(1)]
    assert recovered.facts == {"trading_state": "HALTED|test"}


async def test_many_rows_that_wait_at_once_come_back_in_their_order_and_the_quiet_after_them_is_used(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orders.db"
    journal, _ = open_journal(path)
    await journal.append(
        *map(order, range(UNTIDY)), order(0, OrderStatus.FILLED), fill(1), fill(1), Fact("a", "1"), Fact("a", "2")
    )

    def taken_over() -> bool:
        """Whether the database holds them without its write-ahead log. Read without a lock: torn while they move over."""
        connection = contextlib.closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True))
        with connection as database, contextlib.suppress(sqlite3.DatabaseError):
            return bool(database.execute("SELECT COUNT(*) FROM trail").fetchone() == (UNTIDY + 5,))
        return False

    await until(taken_over)
    await journal.close()
    assert verify(path)[0] == UNTIDY + 5
    recovered = await read(path)
    assert [one.created_at for one in recovered.orders] == list(range(UNTIDY))
    assert (recovered.orders[0].status, recovered.fills, recovered.facts) == (OrderStatus.FILLED, [fill(1)], {"a": "2"})


async def test_open_orders_come_back_however_many_closed_ones_are_newer(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    journal, _ = open_journal(path)
    await journal.append(order(0))
    await journal.append(*(order(number, OrderStatus.CANCELED) for number in range(1, 700)))
    await journal.close()
    recovered = await read(path)
    assert recovered.orders[0].client_order_id == "demo-test-0"
    assert len(recovered.orders) == 501


async def test_a_fill_that_is_written_twice_counts_once(path: Path) -> None:
    await write(path, fill(1))
    assert (await read(path)).fills == [fill(1)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trail SET body = replace(body, '99.10', '98.10') WHERE number = 2",
        "UPDATE trail SET hash = zeroblob(32) WHERE number = 5",
        "DELETE FROM trail WHERE number = 3",
        "DELETE FROM trail WHERE number = 5",
        "UPDATE orders SET body = replace(body, 'filled', 'canceled') WHERE client_order_id = 'demo-test-1'",
        "DELETE FROM orders WHERE client_order_id = 'demo-test-2'",
        "DELETE FROM fills",
        "UPDATE facts SET body = CAST('ACTIVE|' AS BLOB)",
        "INSERT INTO facts VALUES ('equity_peak', CAST('0' AS BLOB))",
    ],
)
async def test_what_was_altered_is_found(path: Path, statement: str) -> None:
    change(path, statement)
    with pytest.raises(DataError) as caught:
        open_journal(path)
    assert "order journal" in caught.value.message
    assert "aside" in caught.value.remedy


@pytest.mark.parametrize("keep", [0.3, 0.6])
async def test_a_truncated_file_is_told_as_such(path: Path, keep: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * keep))
    with pytest.raises(DataError):
        open_journal(path)


def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(DataError):
        open_journal(path)
    assert path.read_bytes().startswith(b"not a database")


async def test_many_that_wait_at_once_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    journal, _ = open_journal(path)
    await asyncio.gather(*(journal.append(order(number)) for number in range(300)))
    await journal.close()
    assert [one.created_at for one in (await read(path)).orders] == list(range(300))


async def test_an_entry_is_written_as_it_was_when_it_was_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    journal, _ = open_journal(path)
    one = order(1)
    written = journal.append_soon(one)
    one.status = OrderStatus.CANCELED
    await written
    await journal.close()
    assert (await read(path)).orders[0].status is OrderStatus.NEW


async def test_a_full_disk_is_an_error_and_harms_nothing(path: Path) -> None:
    """The database may not grow: that is how SQLite meets a full disk."""
    journal, _ = open_journal(path)
    pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
    journal._database.execute(f"PRAGMA max_page_count = {pages}")
    large = msgspec.structs.replace(order(9), message="x" * 50_000)
    with pytest.raises(OrderError) as caught:
        await journal.append(large)
    assert "Free space" in caught.value.remedy
    journal._database.execute("PRAGMA max_page_count = 1000000")
    await journal.append(order(3))
    await journal.close()
    assert [one.client_order_id for one in (await read(path)).orders] == ["demo-test-2", "demo-test-1", "demo-test-3"]


WRITER = """
import asyncio, sys
from pathlib import Path
from engine.storage.journal import open_journal
from tests.storage.test_journal import order

async def main():
    journal, _ = open_journal(Path(sys.argv[1]))
    for number in range(100_000):
        await journal.append(order(number))
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 7, 40])
async def test_what_was_reported_written_survives_a_kill(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "orders.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert process.stdout is not None
    for _ in range(lines):
        await process.stdout.readline()
    process.kill()
    rest = (await process.stdout.read()).decode().split("\n")
    await process.wait()
    told = lines + sum(bool(line) for line in rest[:-1])
    written = [one.created_at for one in (await read(path)).orders]
    assert written == list(range(written[0], written[-1] + 1))
    assert written[-1] >= told - 1
    await write(path, order(-1))
