"""Random days at a venue that loses, delays, repeats and reorders, with crashes between: nothing lost, nothing doubled.

The auditor looks at what the venue did (its orders and executions), at what was told all day, and at what the last
life of the desk believes.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import PaddockError
from engine.domain.events import OrderEvent
from engine.domain.orders import OrderRequest, OrderStatus, Side
from engine.execution import sender
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.conftest import buy
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock

WAYS = ("answer", "answer", "swallow", "drop", "late", "unsent", "refuse")
DEEDS = (
    "place",
    "place",
    "place",
    "cancel",
    "news",
    "news",
    "work",
    "arrive",
    "deaf",
    "hear",
    "poll",
    "crash",
    "later",
)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(sender, "LONGEST_PAUSE", 0.004)


class Day:
    """One seed's day. Each order that somebody wants has a cause of its own; the venue may have one order for it."""

    def __init__(self, seed: int, path: Path) -> None:
        self._random = random.Random(seed)
        self._path = path
        self._clock = SkippingClock()
        self._tasks: list[asyncio.Task[object]] = []
        self.venue = ScriptedVenue(self._clock)
        self.told_rejected: set[str] = set()
        self._intents = 0

    async def run(self, deeds: int) -> ScriptedDesk:
        """The desk at the end of the day, when the venue behaves again and everything was asked for once."""
        await self._open()
        for _ in range(deeds):
            await getattr(self, f"_{self._random.choice(DEEDS)}")()
            assert all(held.quantity == 0 for held in self.desk.core.ledger.positions if held.sleeve == EXTERNAL_SLEEVE)
            for _ in range(self._random.randrange(4)):
                await asyncio.sleep(0)
        self.venue.answers.clear()
        self.venue.deaf = False
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.venue.arrive()
        await self.desk.core.reconcile("end of the day")
        # What surfaced is being cancelled; the next round hears of that.
        await asyncio.sleep(0.001)
        await self.desk.core.reconcile("end of the day")
        return self.desk

    async def _open(self) -> None:
        self.desk = ScriptedDesk(self.venue, self._clock, self._path)
        self.desk.bus.subscribe(OrderEvent, self._note)
        self.venue.deaf = False
        await self.desk.open()

    def _note(self, event: OrderEvent) -> None:
        if event.order.status is OrderStatus.REJECTED:
            self.told_rejected.add(event.order.client_order_id)

    async def _place(self) -> None:
        self.venue.answers.append(self._random.choice(WAYS))
        core, request = self.desk.core, self._request()
        before = len(self.venue.submits)
        placing = self._spawn(lambda: core.place(request))
        # Mostly it gets to the venue before anything else happens; else it is caught between the journal's steps.
        if self._random.random() < 0.8:
            while len(self.venue.submits) == before and not placing.done():  # noqa: ASYNC110  real journal, real time
                await asyncio.sleep(0)

    def _request(self) -> OrderRequest:
        limit = self._random.choice([None, None, "90"])
        request = buy(self._random.randrange(1, 9), self._random.choice(["SPY", "AAPL"]), limit=limit)
        side = self._random.choice(list(Side))
        self._intents += 1
        sleeve = self._random.choice(["one", "two"])
        return msgspec.structs.replace(request, side=side, sleeve=sleeve, cause_id=str(self._intents))

    async def _cancel(self) -> None:
        working = self.desk.core.ledger.book.open
        if working:
            core, chosen = self.desk.core, self._random.choice(working).client_order_id
            self._spawn(lambda: core.cancel(chosen))

    async def _news(self) -> None:
        """Some of the news: in any order, some twice, some never."""
        told = [self.venue.news.popleft() for _ in range(min(len(self.venue.news), 4))]
        self._random.shuffle(told)
        for update in told:
            for _ in range(self._random.choice([0, 1, 1, 2])):
                self.desk.core.on_trade_update(update)

    async def _work(self) -> None:
        """A resting order is filled, in part or as a whole."""
        working = _working(self.venue)
        if working:
            client_order_id, left = self._random.choice(working)
            self.venue.fill(client_order_id, Decimal(self._random.randint(1, int(left))))

    async def _arrive(self) -> None:
        self.venue.arrive()

    async def _deaf(self) -> None:
        self.venue.deaf = True

    async def _hear(self) -> None:
        self.venue.deaf = False

    async def _poll(self) -> None:
        poll = self._random.choice([self.desk.core.poll_orders, self.desk.core.poll_positions])
        self._spawn(poll)

    async def _later(self) -> None:
        self._clock.skip(self._random.choice([0.01, 60.0, 600.0]))

    async def _crash(self) -> None:
        """As a kill does it: whatever was under way stops where it stands; only the journal stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.desk.close()
        await self._open()

    def _spawn(self, work: Callable[[], Awaitable[object]]) -> asyncio.Task[object]:
        async def tolerant() -> object:
            try:
                return await work()
            except PaddockError as error:
                return error

        task = asyncio.create_task(tolerant())
        self._tasks.append(task)
        return task


def _working(venue: ScriptedVenue) -> list[tuple[str, Decimal]]:
    """Orders that may still fill, and how much."""
    return [
        (order.client_order_id, order.quantity - order.filled_quantity)
        for order in venue.orders.values()
        if not order.status.is_final
    ]


def audit(day: Day, desk: ScriptedDesk) -> None:
    book, positions, venue = desk.core.ledger.book, desk.core.ledger.positions, day.venue
    assert not day.told_rejected & set(venue.orders), "told as rejected, and it was not"
    causes = [order.cause_id for order in book if order.client_order_id in venue.orders]
    assert len(set(causes)) == len(causes), "doubled"
    for said in venue.orders.values():
        order = book.get(said.client_order_id)
        assert order is not None, "lost"
        assert (order.status, order.filled_quantity) == (said.status, said.filled_quantity)
        assert book.filled(order) == said.filled_quantity
    for symbol in ("SPY", "AAPL"):
        assert positions.net(symbol) == venue.held.get(symbol, 0)
        assert positions.get(symbol, EXTERNAL_SLEEVE).quantity == 0
    for sleeve in ("one", "two"):
        for symbol in ("SPY", "AAPL"):
            assert positions.get(symbol, sleeve).quantity == _traded(venue, symbol, sleeve)
    for order in book:
        assert order.client_order_id in venue.orders or order.status in {
            OrderStatus.REJECTED,
            OrderStatus.BLOCKED,
            OrderStatus.SENT,
            OrderStatus.UNRESOLVED,
        }


def _traded(venue: ScriptedVenue, symbol: str, sleeve: str) -> Decimal:
    sleeves = {order.venue_order_id: order.client_order_id.split("-")[1] for order in venue.orders.values()}
    return sum(
        (
            fill.side.sign * fill.quantity
            for fill in venue.executions
            if fill.symbol == symbol and sleeves[fill.venue_order_id] == sleeve
        ),
        Decimal(0),
    )


async def live(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        day = Day(seed, Path(folder) / "orders.db")
        desk = await day.run(60)
        audit(day, desk)
        await desk.close()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_each_order_is_there_once_and_positions_are_the_venues(seed: int) -> None:
    asyncio.run(live(seed))
