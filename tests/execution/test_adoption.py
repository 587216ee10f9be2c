"""An order placed elsewhere becomes ours by choice: from then on its fills are a sleeve's, and that is written down."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from engine.config.settings import Settings
from engine.config.trading import OrdersSection
from engine.domain.errors import OrderError
from engine.domain.orders import Order, OrderChanges, OrderStatus, OrderType, Side, TimeInForce
from engine.execution.adoption import PREFIX
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock

KEY = "somebody-else"


@pytest.fixture
def desk(scripted: ScriptedDesk) -> ScriptedDesk:
    return scripted


def elsewhere(quantity: int = 5) -> Order:
    return Order(
        client_order_id=KEY, symbol="SPY", side=Side.BUY, quantity=Decimal(quantity), type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, sleeve="", created_at=0, limit_price=Decimal(90),
    )  # fmt: skip


def place_elsewhere(desk: ScriptedDesk) -> None:
    desk.venue.accept(elsewhere(10))


def held(desk: ScriptedDesk, sleeve: str) -> Decimal:
    return desk.core.ledger.positions.get("SPY", sleeve).quantity


async def test_what_it_filled_before_stays_outside_and_what_it_fills_then_is_the_sleeves(desk: ScriptedDesk) -> None:
    place_elsewhere(desk)
    desk.venue.fill(KEY, Decimal(4))
    desk.hear()
    await desk.core.adopt(KEY, "swing")
    desk.venue.fill(KEY, Decimal(6))
    desk.hear()
    assert (held(desk, EXTERNAL_SLEEVE), held(desk, "swing")) == (4, 6)


async def test_a_fill_from_before_that_is_heard_later_stays_outside(desk: ScriptedDesk) -> None:
    place_elsewhere(desk)
    desk.venue.fill(KEY, Decimal(4))
    late = desk.venue.news.pop()
    desk.hear()
    desk.core.ledger.take_order(late.order)
    await desk.core.adopt(KEY, "swing")
    desk.core.on_trade_update(late)
    assert (held(desk, EXTERNAL_SLEEVE), held(desk, "swing")) == (4, 0)


async def test_adopted_it_can_be_changed_and_survives_a_restart_as_ours(desk: ScriptedDesk, tmp_path: Path) -> None:
    place_elsewhere(desk)
    desk.hear()
    with pytest.raises(OrderError, match="placed elsewhere"):
        await desk.core.replace(KEY, OrderChanges(limit_price=Decimal(91)))
    await desk.core.adopt(KEY, "swing")
    second = ScriptedDesk(desk.venue, desk.clock, _copy(tmp_path))
    await second.open()
    order = second.core.ledger.book.get(KEY)
    assert order is not None
    assert (order.sleeve, order.foreign) == ("swing", False)
    await second.core.replace(KEY, OrderChanges(limit_price=Decimal(91)))
    second.hear()
    [new] = second.core.ledger.book.open
    assert (new.sleeve, new.limit_price) == ("swing", 91)
    await second.close()


def _copy(folder: Path) -> Path:
    """The journal as it stands on the disk now."""
    with sqlite3.connect(folder / "orders.db") as source, sqlite3.connect(folder / "copy.db") as target:
        source.backup(target)
    return folder / "copy.db"


async def test_the_choice_is_in_the_journal(desk: ScriptedDesk, tmp_path: Path) -> None:
    place_elsewhere(desk)
    desk.hear()
    await desk.core.adopt(KEY, "swing")
    with sqlite3.connect(tmp_path / "orders.db") as journal:
        [(body,)] = journal.execute("SELECT body FROM facts WHERE key = ?", (PREFIX + KEY,))
    assert b'"sleeve":"swing","by":"a person"' in body


@pytest.mark.parametrize(
    ("key", "sleeve", "words"),
    [("nobody", "swing", "no order"), (KEY, EXTERNAL_SLEEVE, "not the name"), (KEY, "A b", "not the name")],
)
async def test_what_cannot_be_adopted_is_refused_in_words(
    desk: ScriptedDesk, key: str, sleeve: str, words: str
) -> None:
    place_elsewhere(desk)
    desk.hear()
    with pytest.raises(OrderError, match=words):
        await desk.core.adopt(key, sleeve)


async def test_an_order_that_has_ended_is_not_adopted(desk: ScriptedDesk) -> None:
    place_elsewhere(desk)
    desk.venue.fill(KEY, Decimal(10))
    desk.hear()
    with pytest.raises(OrderError, match="is filled"):
        await desk.core.adopt(KEY, "swing")


async def test_by_configuration_every_foreign_order_is_adopted_when_it_is_seen(tmp_path: Path) -> None:
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db", adopt_into="manual")
    place_elsewhere(desk)
    await desk.open()
    desk.venue.fill(KEY, Decimal(10))
    desk.hear()
    order = desk.core.ledger.book.get(KEY)
    assert order is not None
    assert (order.status, order.sleeve, held(desk, "manual")) == (OrderStatus.FILLED, "manual", 10)
    await desk.close()


async def test_adopted_from_the_window_and_by_configuration_at_once_it_is_adopted_once(tmp_path: Path) -> None:
    """The person was first, and it stays so after a restart under the same configuration."""
    clock = SkippingClock()
    venue = ScriptedVenue(clock)
    desk = ScriptedDesk(venue, clock, tmp_path / "orders.db", adopt_into="manual")
    await desk.open()
    place_elsewhere(desk)
    desk.core.ledger.take_order(venue.news[-1].order)  # seen, and the configuration has not been asked yet
    by_person = asyncio.create_task(desk.core.adopt(KEY, "swing"))
    twice = asyncio.create_task(desk.core.adopt(KEY, "other"))
    await asyncio.sleep(0)
    await desk.core.poll_orders()
    [adopted] = await by_person
    with pytest.raises(OrderError, match="at this moment"):
        await twice
    assert (adopted.sleeve, adopted.foreign) == ("swing", False)
    await desk.close()
    second = ScriptedDesk(venue, clock, tmp_path / "orders.db", adopt_into="manual")
    await second.open()
    with pytest.raises(OrderError, match="belongs to swing already"):
        await second.core.adopt(KEY, "other")
    venue.fill(KEY, Decimal(10))
    second.hear()
    assert (held(second, "swing"), held(second, "manual")) == (10, 0)
    await second.close()
    with sqlite3.connect(tmp_path / "orders.db") as journal:
        rows = journal.execute("SELECT body FROM trail WHERE key = ?", (PREFIX + KEY,)).fetchall()
    assert [b'"by":"a person"' in body for (body,) in rows] == [True]


def test_the_sleeve_that_adopts_must_exist(tmp_path: Path) -> None:
    assert Settings(data=tmp_path, orders=OrdersSection(foreign="adopt")).orders.adopt_into == "manual"
    with pytest.raises(ValueError, match="the sleeves are manual"):
        Settings(data=tmp_path, orders=OrdersSection(foreign="adopt", adopt_into="nobody"))
