"""What leaves memory is still there: found by id and in lists, and no client id is ever free again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.exchange import activities, desk, stored_desks
from engine.exchange.archive import ActivityQuery, OrderQuery
from engine.exchange.changes import Sample
from engine.exchange.desk import Desk
from engine.exchange.keeper import Keeper
from engine.exchange.prices.synthetic import SyntheticPrices
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal
from engine.exchange.sessions import AlwaysOpen
from engine.exchange.store import FILE_NAME, Store
from engine.exchange.ticket import read_order
from engine.exchange.venue import Venue

START = 1_763_700_000_000_000_000
SECOND = 1_000_000_000
LIMIT = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "1.5"}
MARKET = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
BRACKET = {
    **MARKET,
    "order_class": "bracket",
    "take_profit": {"limit_price": "9000"},
    "stop_loss": {"stop_price": "1"},
}


class House:
    """A venue whose memory holds ten ended orders and ten activities of an account."""

    def __init__(self, folder: Path | None) -> None:
        self.store = Store(folder)
        saved = self.store.load()
        source = SyntheticPrices(("SPY", "AAPL"), 1, START, recent=1)
        self.venue = Venue(source, AlwaysOpen(), seed=self.store.next_run(), archive=self.store.archive)
        for found, records in saved.desks:
            self.venue.restore(found, records)
        self.venue.books.count_from(saved.orders, saved.activities)
        self.desk: Desk = self.venue.desk("account", START)
        self._keeper = Keeper(self.store, self.venue.desks)
        self._now = max(self.venue.now, self.desk.newest_submission)

    def next_moment(self) -> int:
        self._now += 1_000
        return self._now

    async def send(self, body: dict[str, Any], client_order_id: str = "") -> OrderRecord:
        ticket = read_order(body | {"client_order_id": client_order_id}, self.venue.catalogue)
        record = self.venue.submit(self.desk, ticket, self.next_moment())
        await self.keep()
        return record

    async def cancel(self, record: OrderRecord) -> None:
        self.venue.cancel(self.desk, record.order_id, self.next_moment())
        await self.keep()

    async def keep(self) -> None:
        await self._keeper.keep(self.venue.books.take_changes())


@pytest.fixture(autouse=True)
def _small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ORDER_LIMIT", 10), ("ACTIVITY_LIMIT", 10), ("BATCH", 5)):
        for module in (desk, stored_desks):
            monkeypatch.setattr(module, name, value, raising=False)


@pytest.fixture(params=["state folder", "no state folder"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path if request.param == "state folder" else None)
    yield found
    found.store.close()


async def test_ended_orders_leave_memory_and_are_found_by_both_ids(house: House) -> None:
    sent = [await house.send(LIMIT, f"mine-{n}") for n in range(60)]
    for record in sent[:50]:
        await house.cancel(record)
    assert len(house.desk) < 30
    for record in sent[:50]:
        found = house.desk.find(record.order_id)
        assert found is not None
        assert (found.client_order_id, found.status) == (record.client_order_id, "canceled")
        assert house.desk.find_client(record.client_order_id) == found
        with pytest.raises(Refusal, match="must be unique"):
            await house.send(LIMIT, record.client_order_id)


async def test_lists_do_not_show_where_memory_ends(house: House) -> None:
    sent = [await house.send({**LIMIT, "symbol": "AAPL" if n % 3 else "SPY"}) for n in range(40)]
    for record in sent[1::2]:
        await house.cancel(record)
    for record in sent[0:30:2]:
        await house.cancel(record)
    ids = [record.order_id for record in sent]

    def listed(limit: int = 500, **fields: Any) -> list[str]:
        return [record.order_id for record in house.desk.select(OrderQuery(**fields), limit)]

    assert house.desk.archived > 10
    assert listed() == ids[::-1]
    assert listed(newest_first=False) == ids
    assert listed(7) == ids[:-8:-1]
    assert listed(7, newest_first=False) == ids[:7]
    assert listed(status="open", newest_first=False) == ids[30::2]
    assert listed(status="closed", newest_first=False) == [name for name in ids if name not in ids[30::2]]
    assert listed(symbols=frozenset({"SPY"}), newest_first=False) == ids[::3]
    assert listed(side="sell") == []
    after, until = sent[4].created_at, sent[35].created_at
    assert listed(after=after, until=until, newest_first=False) == ids[5:35]


async def test_an_exit_stays_bound_to_its_entry_however_many_orders_follow(house: House) -> None:
    entry = await house.send(BRACKET, "entry")
    while house.desk.find_client("entry").status != "filled":  # type: ignore[union-attr]
        house.venue.advance(house.venue.now + SECOND)
        await house.keep()
    for _ in range(40):
        await house.cancel(await house.send({**LIMIT, "symbol": "AAPL"}))
    profit, loss = house.desk.legs(house.venue.order(house.desk, entry.order_id))
    await house.cancel(profit)
    assert [house.venue.order(house.desk, leg.order_id).status for leg in (profit, loss)] == ["canceled"] * 2
    for _ in range(40):
        await house.cancel(await house.send({**LIMIT, "symbol": "AAPL"}))
    assert len(house.desk) < 20
    assert [leg.status for leg in house.desk.legs(house.venue.order(house.desk, entry.order_id))] == ["canceled"] * 2


async def test_activities_are_paged_across_the_end_of_memory(house: House) -> None:
    for n in range(40):
        await house.send({**MARKET, "side": "sell" if n % 2 else "buy"})
    house.venue.advance(house.venue.now + SECOND)
    assert house.desk.activities_archived > 0
    everything = house.desk.activities(ActivityQuery(newest_first=False), 500)
    assert len(everything) >= 40
    assert house.desk.activities(ActivityQuery(), 500) == everything[::-1]
    for newest, expected in ((False, everything), (True, everything[::-1])):
        pages: list[activities.Activity] = []
        while page := house.desk.activities(ActivityQuery(newest_first=newest, beyond=number(house, pages)), 7):
            pages += page
        assert pages == expected
    assert house.desk.activities(ActivityQuery(kinds=frozenset({"DIV"})), 500) == []


def number(house: House, pages: list[activities.Activity]) -> int | None:
    return house.desk.activity_number(pages[-1].activity_id) if pages else None


async def test_a_restart_reads_what_is_open_with_its_group_and_the_newest_of_the_rest(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.send(BRACKET, "entry")
    while house.desk.find_client("entry").status != "filled":  # type: ignore[union-attr]
        house.venue.advance(house.venue.now + SECOND)
        await house.keep()
    waiting = await house.send({**LIMIT, "symbol": "AAPL"}, "waiting")
    sent = [await house.send({**LIMIT, "symbol": "AAPL"}, f"n{n}") for n in range(40)]
    for record in sent:
        await house.cancel(record)
    before = house.desk.select(OrderQuery(newest_first=False), 500)
    house.store.close()
    again = House(tmp_path)
    assert len(again.desk) < 20
    assert again.desk.archived == len(before) - len(again.desk)
    assert again.desk.select(OrderQuery(newest_first=False), 500) == before
    assert again.desk.find_client("waiting").order_id == waiting.order_id  # type: ignore[union-attr]
    with pytest.raises(Refusal, match="must be unique"):
        await again.send({**LIMIT, "symbol": "AAPL"}, "n0")
    profit, loss = again.desk.legs(again.desk.find_client("entry"))  # type: ignore[arg-type]
    await again.cancel(profit)
    assert again.venue.order(again.desk, loss.order_id).status == "canceled"
    assert (await again.send(LIMIT, "new")).number == len(before) + 1
    again.store.close()


async def test_a_file_of_the_first_release_is_brought_up_to_date(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.send(MARKET, "bought")
    waiting = await house.send(LIMIT, "waiting")
    activities_before = house.desk.activities(ActivityQuery(), 10)
    house.store.close()
    _make_old(tmp_path / FILE_NAME)
    again = House(tmp_path)
    assert again.desk.find_client("waiting").order_id == waiting.order_id  # type: ignore[union-attr]
    assert again.desk.activities(ActivityQuery(), 10) == activities_before
    assert again.desk.account.quantity("SPY") == house.desk.account.quantity("SPY")
    again.store.close()


async def test_points_of_the_portfolio_history_are_kept_a_month_and_closes_for_ever(house: House) -> None:
    store, day = house.store, 86_400 * SECOND
    await store.write_samples([Sample("account", START, Decimal(1))])
    await store.write_samples([Sample("account", START + 1, Decimal("2.5"), closes_day=True)])
    await store.write_samples([Sample("account", START + 2, Decimal(3)), Sample("other", START + 2, Decimal(4))])
    assert await store.read_samples("account", START + 1, START + 2) == [(START + 1, Decimal("2.5")), (START + 2, 3)]
    await store.write_samples([Sample("account", START + 31 * day, Decimal(5))])
    assert await store.read_samples("account", 0, START + 99 * day) == [
        (START + 1, Decimal("2.5")),
        (START + 31 * day, 5),
    ]
    assert await store.read_closes("account", 0, START + 99 * day) == [(START + 1, Decimal("2.5"))]
    assert await store.last_close("account", START + 1) == (START + 1, Decimal("2.5"))
    assert await store.last_close("account", START) is None


def _make_old(path: Path) -> None:
    """The tables as they were before orders had columns to select by."""
    with sqlite3.connect(path) as database:
        orders = database.execute("SELECT number, order_id, account_id, client_order_id, data FROM orders").fetchall()
        fills = database.execute("SELECT number, account_id, data FROM activities").fetchall()
        samples = database.execute("SELECT account_id, at, equity FROM samples").fetchall()
        for table in ("orders", "activities", "samples"):
            database.execute(f"DROP TABLE {table}")
        database.executescript(
            "CREATE TABLE orders (number INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL,"
            " client_order_id TEXT NOT NULL, data BLOB NOT NULL);"
            "CREATE TABLE executions (number INTEGER PRIMARY KEY, execution_id TEXT NOT NULL UNIQUE,"
            " account_id TEXT NOT NULL, data BLOB NOT NULL);"
            "CREATE TABLE samples (account_id TEXT NOT NULL, at INTEGER NOT NULL, equity TEXT NOT NULL,"
            " PRIMARY KEY (account_id, at)) WITHOUT ROWID; PRAGMA user_version = 0;"
        )
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
        rows = [(n, msgspec.msgpack.decode(data)["execution_id"], account, data) for n, account, data in fills]
        database.executemany("INSERT INTO executions VALUES (?, ?, ?, ?)", rows)
        database.executemany("INSERT INTO samples VALUES (?, ?, ?)", samples)
    database.close()
