"""Orders of every kind come and go at random past a memory of three: none is lost, doubled or forgotten by its group."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.orders import OrderStatus
from engine.exchange import desk, stored_desks
from engine.exchange.archive import ActivityQuery, OrderQuery
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal
from tests.exchange.test_archive import BRACKET, LIMIT, MARKET, SECOND, House

OCO = {
    "symbol": "SPY",
    "qty": "1",
    "side": "sell",
    "type": "limit",
    "time_in_force": "gtc",
    "order_class": "oco",
    "take_profit": {"limit_price": "9000"},
    "stop_loss": {"stop_price": "1"},
}
WAITING = {**BRACKET, "type": "limit", "limit_price": "2", "stop_loss": {"stop_price": "1"}}
BODIES = [LIMIT, MARKET, {**MARKET, "side": "sell"}, BRACKET, WAITING, OCO, {**LIMIT, "symbol": "AAPL"}]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from(BODIES)),
        st.tuples(st.sampled_from(["cancel", "replace"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["wait", "restart"]), st.just(0)),
    ),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def _tiny_memory() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("ORDER_LIMIT", 3), ("ACTIVITY_LIMIT", 3), ("BATCH", 1)):
            for module in (desk, stored_desks):
                patch.setattr(module, name, value, raising=False)
        yield


async def play(script: list[tuple[str, Any]], folder: Path | None) -> None:
    house = House(folder)
    told: set[str] = set()
    for what, detail in script:
        if what == "restart" and folder is not None:
            house.store.close()
            house = House(folder)
        else:
            await step(house, what, detail, told)
        await house.keep()
        check(house, told)
    house.store.close()


async def step(house: House, what: str, detail: Any, told: set[str]) -> None:
    venue, known = house.venue, list(house.desk.open.values())
    try:
        if what == "send":
            told.add((await house.send(detail)).order_id)
        elif what == "cancel" and known:
            await house.cancel(known[detail % len(known)])
        elif what == "replace" and known:
            old = known[detail % len(known)]
            field = "stop_price" if old.stop_price is not None else "limit_price"
            changed: dict[str, object] = {field: getattr(old, field) * 2}
            told.add(venue.replace(house.desk, old.order_id, changed, house.next_moment()).order_id)
        elif what == "wait":
            venue.advance(venue.now + SECOND)
    except Refusal:
        pass


def check(house: House, told: set[str]) -> None:
    records = house.desk.select(OrderQuery(newest_first=False), 10_000)
    numbers = [record.number for record in records]
    assert numbers == sorted(set(numbers))
    assert told <= {record.order_id for record in records}
    assert {record.order_id for record in records if record.is_open} == set(house.desk.open)
    assert len(house.desk) <= len(house.desk.open) * 3 + 6
    for record in records:
        check_group(house, record)
    activities = house.desk.activities(ActivityQuery(newest_first=False), 10_000)
    assert [activity.number for activity in activities] == list(range(1, len(activities) + 1))


def check_group(house: House, record: OrderRecord) -> None:
    """The exits of an order are open or waiting together, and no exit waits for an entry that has ended unfilled."""
    legs = house.desk.legs(record)
    assert len(legs) == len(record.legs)
    ended = record.status in (OrderStatus.CANCELED, OrderStatus.EXPIRED)
    if ended and record.order_class != "oco":
        assert not any(leg.is_open for leg in legs)


@settings(max_examples=35, deadline=None)
@given(steps)
def test_in_memory_nothing_is_lost_between_memory_and_archive(script: list[tuple[str, Any]]) -> None:
    asyncio.run(play(script, None))


@settings(max_examples=15, deadline=None)
@given(steps)
def test_on_disk_nothing_is_lost_between_memory_archive_and_restarts(script: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(script, Path(folder)))
