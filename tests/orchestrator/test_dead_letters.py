"""Events that nobody could take: kept over a restart, delivered again exactly once, bounded, safe from a full disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from engine.bus import Bus, DeadLetter
from engine.clock import ManualClock
from engine.domain.errors import DataError
from engine.domain.events import (
    KINDS,
    BarEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    PortfolioEvent,
    QuoteEvent,
    RiskEvent,
    SignalEvent,
    SystemEvent,
)
from engine.domain.market import Bar, Quote, Timeframe
from engine.domain.orders import Fill, Order, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account
from engine.orchestrator.dead_letters import DeadLetterDesk
from engine.storage.dead_letters import DeadLetterFile
from engine.tables import Table
from engine.views import DeadLetterRow
from tests.waiting import until


def event(name: str) -> SystemEvent:
    return SystemEvent(event_id=name, timestamp=1, component="test", state="alert", message=f"about {name}")


def letter(name: str, told: Event | None = None) -> DeadLetter:
    return DeadLetter(event=told or event(name), handler="window", error="ValueError: broken")


class Part:
    """A handler that can be mended."""

    def __init__(self) -> None:
        self.broken = True
        self.taken: list[Event] = []

    def __call__(self, event: Event) -> None:
        if self.broken:
            raise ValueError("broken")
        self.taken.append(event)


class Life:
    """A bus and its desk on one file, as the engine joins them."""

    def __init__(self, path: Path) -> None:
        self.part = Part()
        self.table: Table[DeadLetterRow] = Table()
        self.desk = DeadLetterDesk(path, self.table, ManualClock(1_000))
        self.bus = Bus(lambda _, error: None, on_dead=self.desk.take)
        self.bus.subscribe(SystemEvent, self.part, name="window")


@asynccontextmanager
async def living(path: Path) -> AsyncIterator[Life]:
    life = Life(path)
    await life.desk.open()
    life.bus.start()
    yield life
    await life.bus.close()
    await life.desk.close()


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "dead_letters.db"


async def test_a_dead_letter_survives_a_restart_and_is_delivered_exactly_once(path: Path) -> None:
    async with living(path) as life:
        life.bus.publish(event("a"))
        await until(lambda: len(life.table) == 1)
    async with living(path) as life:
        (row,) = life.table
        assert (row.about, row.handler, row.error) == ("about a", "window", "ValueError: broken")
        life.part.broken = False
        await asyncio.gather(*(life.desk.deliver([row.key], life.bus.redeliver) for _ in range(5)))
        assert life.part.taken == [event("a")]
        assert len(life.table) == 0
    async with living(path) as life:
        assert len(life.table) == 0


async def test_what_fails_again_is_kept_and_said(path: Path) -> None:
    async with living(path) as life:
        for name in ("a", "b"):
            life.bus.publish(event(name))
        await until(lambda: len(life.table) == 2)
        keys = list(life.table.keys())
        with pytest.raises(DataError, match=r"2 of 2.*broken") as refused:
            await life.desk.deliver(keys, life.bus.redeliver)
        assert refused.value.remedy
        assert [(row.attempts, row.state) for row in life.table] == [(2, "waiting"), (2, "waiting")]


async def test_discarded_letters_are_gone_for_good(path: Path) -> None:
    async with living(path) as life:
        life.bus.publish(event("a"))
        await until(lambda: len(life.table) == 1)
        await life.desk.discard(list(life.table.keys()))
        assert len(life.table) == 0
    async with living(path) as life:
        assert len(life.table) == 0


def test_a_crash_while_one_was_delivered_is_told(path: Path) -> None:
    before = DeadLetterFile(path)
    before.keep([(letter("a"), 1)])
    assert before.claim("a|window") is not None
    before.close()
    after = DeadLetterFile(path)
    assert [one.state for one in after.letters()] == ["interrupted"]
    assert after.claim("a|window") is not None
    assert after.claim("a|window") is None
    after.close()


def test_the_oldest_letters_go_when_there_are_too_many(path: Path) -> None:
    file = DeadLetterFile(path, capacity=3)
    file.keep([(letter(str(number)), number) for number in range(5)])
    assert [one.key for one in file.letters()] == ["2|window", "3|window", "4|window"]
    file.close()


def test_every_kind_of_event_is_read_as_it_was_written(path: Path) -> None:
    common = {"timestamp": 1, "cause_id": "tick"}
    order = Order(
        client_order_id="demo-manual-1", symbol="SPY", side=Side.BUY, quantity=Decimal("1.5"), type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, sleeve="manual", created_at=1, limit_price=Decimal("10.01"),
    )  # fmt: skip
    fill = Fill(
        execution_id="x", client_order_id="demo-manual-1", venue_order_id="v", symbol="SPY", side=Side.SELL,
        quantity=Decimal("0.000001"), price=Decimal("10.10"), timestamp=1,
    )  # fmt: skip
    account = Account(
        account_number="A",
        status="ACTIVE",
        equity=Decimal(1),
        last_equity=Decimal(2),
        cash=Decimal(3),
        buying_power=Decimal(4),
    )
    events: list[Event] = [
        QuoteEvent(event_id="1", quote=Quote("SPY", 1.0, 1, 1.1, 2, 3), **common),
        BarEvent(event_id="2", bar=Bar("SPY", Timeframe.SECOND_1, 1, 1.0, 1.0, 1.0, 1.0, 1.0), **common),
        SignalEvent(
            event_id="3", sleeve="s", strategy="s", symbol="SPY", weight=-0.5, confidence=0.1, price=1.0, as_of=1,
            expires=2, **common,
        ),
        OrderEvent(event_id="4", order=order, **common),
        ExecutionEvent(event_id="5", fill=fill, **common),
        PortfolioEvent(event_id="6", account=account, **common),
        RiskEvent(event_id="7", rule="r", message="m", values={"limit": "1"}, **common),
        SystemEvent(event_id="8", component="c", state="alert", **common),
    ]  # fmt: skip
    assert {type(one) for one in events} == set(KINDS.values())
    file = DeadLetterFile(path)
    file.keep([(letter("", one), 1) for one in events])
    assert [one.event for one in file.letters()] == events
    file.close()


async def test_an_event_of_another_version_is_shown_and_can_only_be_discarded(path: Path) -> None:
    file = DeadLetterFile(path)
    file.keep([(letter("a"), 1)])
    file.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE letters SET kind = 'NoLongerKnownEvent'")
    async with living(path) as life:
        with pytest.raises(DataError, match="cannot read"):
            await life.desk.deliver(["a|window"], life.bus.redeliver)
        assert life.table.get("a|window") is not None


async def test_a_flood_of_failures_is_written_in_few_transactions_and_stays_bounded(path: Path) -> None:
    async with living(path) as life:
        for number in range(3_000):
            life.bus.publish(event(str(number)))
        await until(lambda: not life.bus.backlog)
    async with living(path) as life:
        assert len(life.table) == 1_000
        assert life.table.get("2999|window") is not None


async def test_a_refused_write_keeps_the_letter_in_memory_until_the_disk_is_well(path: Path) -> None:
    async with living(path) as life:
        blocker = sqlite3.connect(path)
        blocker.execute("CREATE TRIGGER full BEFORE INSERT ON letters BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        blocker.commit()
        life.bus.publish(event("a"))
        await until(lambda: len(life.table) == 1)
        with pytest.raises(DataError, match="disk is full"):
            await life.desk.flush()
        blocker.execute("DROP TRIGGER full")
        blocker.commit()
        blocker.close()
    async with living(path) as life:
        assert [row.key for row in life.table] == ["a|window"]


async def test_a_damaged_file_is_set_aside_and_does_not_keep_the_engine_from_starting(path: Path) -> None:
    path.write_text("this is not a database, whatever its name says" * 100)
    async with living(path) as life:
        life.bus.publish(event("a"))
        await until(lambda: len(life.table) == 1)
    assert path.with_name("damaged-dead_letters.db").exists()


def test_a_file_that_is_no_database_is_refused_with_a_remedy(path: Path) -> None:
    path.write_text("this is not a database, whatever its name says" * 100)
    with pytest.raises(DataError, match="cannot be read") as refused:
        DeadLetterFile(path)
    assert "aside" in refused.value.remedy
