"""`python -m tests.benchmarks.storage`: rows a second into SQLite and PostgreSQL beside the bare drivers, JSON lines.

Ours is the store with all that it promises: replacing what comes again, partitions, one transaction for all tables. The
bare driver inserts the same rows into one table of the same columns and key. PostgreSQL here syncs to the disk. Then a
recorder on a real hub is sent 10,000 messages a second and its share of a core is read.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from engine.clock import SystemClock
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.storage.market.address import MarketAddress
from engine.storage.market.rows import Row, candle_rows, quote_rows
from engine.storage.market.sqlite import KEPT_OPEN
from engine.storage.market.store import open_store
from engine.storage.market.tables import TABLES, columns_of
from engine.streams.messages import Quotes, QuoteState, RecorderStatus
from tests.services import Postgres
from tests.waiting import until

ROUNDS = 5
ROWS = 40_000
START = 1_790_000_000 * NANOSECONDS
SYMBOLS = [f"SYM{number}" for number in range(500)]
MESSAGES_PER_SECOND, SECONDS = 10_000, 10
STEP = 0.02

Write = Callable[[list[Row]], Awaitable[object]]


def rows_of(table: str, first: int, count: int) -> list[Row]:
    """Fresh ones: 500 symbols in turn, a step later in each round of them."""
    found = range(first, first + count)
    if table == "normalized_data":
        quotes = (QuoteState(SYMBOLS[n % 500], 1.5, 1.4, 1.6, 100, 200, 1, 1e6, START + n * 1_000_000) for n in found)
        return list(quote_rows(quotes))
    second = Timeframe.SECOND_1
    bars = (
        Bar(SYMBOLS[n % 500], second, START + n // 500 * NANOSECONDS, 1.5, 1.6, 1.4, 1.55, 1e4, 30, 1.52) for n in found
    )
    return list(candle_rows(bars))


async def timed(write: Write, table: str, batch: int, first: int) -> tuple[float, float]:
    """Rows a second, and the p99 of a batch in milliseconds."""
    batches = [rows_of(table, first + at, batch) for at in range(0, ROWS, batch)]
    took = []
    began = time.perf_counter()
    for rows in batches:
        before = time.perf_counter()
        await write(rows)
        took.append(time.perf_counter() - before)
    rate = ROWS / (time.perf_counter() - began)
    return rate, sorted(took)[len(took) * 99 // 100] * 1e3


async def compare(name: str, peer: str, table: str, batch: int, ours: Write, theirs: Write) -> None:
    """In turn, so that what else the machine does meets both."""
    results: dict[str, list[tuple[float, float]]] = {"ours": [], "theirs": []}
    for number in range(ROUNDS):
        for side, write in (("ours", ours), ("theirs", theirs)):
            results[side].append(await timed(write, table, batch, number * ROWS))
    rate, bare = (statistics.median(found[0] for found in results[side]) for side in ("ours", "theirs"))
    p99, bare_p99 = (statistics.median(found[1] for found in results[side]) for side in ("ours", "theirs"))
    tell(
        name, table=table, batch=batch, rows_per_second=round(rate), flush_p99_ms=round(p99, 2), peer=peer,
        peer_rows_per_second=round(bare), peer_p99_ms=round(bare_p99, 2), ratio=round(rate / bare, 2),
    )  # fmt: skip


def tell(name: str, **figures: Any) -> None:
    print(json.dumps({"bench": "storage", "name": name, **figures}), flush=True)


def columns(table: str, text: str, number: str, whole: str) -> str:
    kinds = {"TEXT": text, "DOUBLE": number, "DOUBLE PRECISION": number}
    names = (f'"{c.name}" {kinds.get(str(c.type), whole)}' for c in TABLES[table].columns)
    key = ", ".join(c.name for c in TABLES[table].primary_key.columns)
    return f"{', '.join(names)}, PRIMARY KEY ({key})"


async def sqlite_figures(folder: Path, table: str, batch: int) -> None:
    store = open_store(MarketAddress(path=str(folder / "ours.db")))
    await store.open()
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    for pragma in ("PRAGMA journal_mode = WAL", *KEPT_OPEN):
        bare.execute(pragma)
    bare.execute(f"CREATE TABLE bare ({columns(table, 'TEXT', 'REAL', 'INTEGER')}) WITHOUT ROWID")
    marks = ", ".join("?" * len(columns_of(TABLES[table])))

    async def theirs(rows: list[Row]) -> None:
        bare.execute("BEGIN")
        bare.executemany(f"INSERT INTO bare VALUES ({marks})", rows)
        bare.execute("COMMIT")

    await compare("sqlite", "sqlite3 executemany", table, batch, lambda rows: store.write({table: rows}), theirs)
    await store.close()
    bare.close()


async def postgres_figures(server: Postgres, table: str, batch: int) -> None:
    url = server.fresh_database()
    store = open_store(MarketAddress(url=url))
    await store.open()
    bare = await asyncpg.connect(url)
    await bare.execute(f"CREATE TABLE bare ({columns(table, 'TEXT', 'DOUBLE PRECISION', 'BIGINT')})")

    async def theirs(rows: list[Row]) -> None:
        await bare.copy_records_to_table("bare", records=rows, columns=columns_of(TABLES[table]))

    name = "asyncpg copy_records_to_table"
    await compare("postgresql", name, table, batch, lambda rows: store.write({table: rows}), theirs)
    await bare.close()
    await store.close()


async def recorder_figures(folder: Path, label: str, per_message: int, **where: Any) -> None:
    """A recorder in its own process, sent quotes of 500 symbols over the hub."""
    from tests.market.test_workers import house

    async with house(folder) as (found, transport):
        await found.start("recorder", hub=found.hub, path=str(folder / "recorded.db"), **where)
        row = found.table.get("recorder")
        assert row is not None
        process = psutil.Process(row.pid)
        before = process.cpu_times()
        sent = await _send(lambda quotes: transport.publish("quotes", Quotes(quotes)), per_message)
        await until(lambda: (s := found.last(RecorderStatus)) and s.waiting == 0 and s.rows > 0)
        await asyncio.sleep(2.5)
        spent = process.cpu_times()
        status = found.last(RecorderStatus)
        cpu = (spent.user + spent.system - before.user - before.system) / SECONDS
        tell(
            "recorder", database=label, messages_per_second=round(sent / SECONDS), quotes_a_message=per_message,
            core_share=round(cpu, 3), lag_s=round(status.lag, 2), lost=status.dropped, rows=status.rows,
            limit="one core", ratio=round(1 / cpu, 2),
        )  # fmt: skip


async def _send(publish: Callable[[list[QuoteState]], None], per_message: int) -> int:
    clock, sent = SystemClock(), 0
    began = clock.monotonic()
    while (passed := clock.monotonic() - began) < SECONDS:
        for _ in range(int(passed * MESSAGES_PER_SECOND) - sent):
            now = clock.now()
            publish([_quote(sent * per_message + at, now) for at in range(per_message)])
            sent += 1
        await asyncio.sleep(STEP)
    return sent


def _quote(number: int, now: int) -> QuoteState:
    return QuoteState(SYMBOLS[number % 500], 1.5 + number % 7, 1.4, 1.6, 100, 200, 1, 1e6, now)


def folders(parent: Path) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        folder = parent / str(number)
        folder.mkdir()
        yield folder


async def run(parent: Path, server: Postgres) -> None:
    fresh = folders(parent)
    for table in ("normalized_data", "realtime_candles"):
        for batch in (1_000, 10_000):
            await sqlite_figures(next(fresh), table, batch)
            await postgres_figures(server, table, batch)
    for per_message in (1, 5):
        await recorder_figures(next(fresh), "SQLite", per_message)
        await recorder_figures(next(fresh), "PostgreSQL", per_message, url=server.fresh_database())


def main() -> None:
    parent = Path(tempfile.mkdtemp(prefix="paddock-storage-"))
    own = parent / "postgres"
    own.mkdir()
    parent.chmod(0o755)
    server = Postgres(own, durable=True)
    try:
        server.start()
        asyncio.run(run(parent, server))
    finally:
        server.stop()
        shutil.rmtree(parent, ignore_errors=True)


if __name__ == "__main__":
    main()
