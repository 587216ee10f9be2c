"""Whatever a venue tells of an order, in any order, late, twice or against its own word: the books stay in order.

A model of the venue keeps the truth: what it has told at each moment, and what it has executed. Hypothesis lets it tell
any of that at any time to the real ledger, with its journal on the disk, and lets the engine die in between.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.broker.base import VenueFill, VenueOrder
from engine.bus import Bus
from engine.clock import IdFactory, ManualClock
from engine.domain.orders import Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from engine.execution.ledger import Ledger
from engine.execution.making import order_of, replacement_of
from engine.execution.news import PROGRESS
from engine.execution.transitions import PASSING
from engine.storage.journal import open_journal
from engine.storage.writer import Commit, Work
from tests.faults.virtual import VirtualLoop

S = OrderStatus
T = TypeVar("T")
PRICE = Decimal(100)
WORDS = [S.ACCEPTED, S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.PENDING_REPLACE]
LAST_WORDS = [S.CANCELED, S.EXPIRED, S.REJECTED]
anything = st.integers(0, 10_000)


class AtOnce:
    """A journal's writer without a thread."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit

    def put(self, work: Work) -> None:
        self._commit([work])

    async def close(self) -> None: ...


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self.surfaced: list[str] = []
        self.before: dict[str, tuple[OrderStatus, Decimal, str]] = {}
        self.truth: VenueOrder | None = None
        """The newest order of the chain, as it is at the venue; None before it arrived there."""
        self.ends: dict[str, VenueOrder] = {}
        """The last word on each order, by client id."""
        self.told: list[VenueOrder] = []
        self.executed: list[VenueFill] = []
        self.heard: set[str] = set()

    def _begin(self) -> None:
        async def begin() -> None:
            clock, bus = ManualClock(self._next()), Bus(lambda event, error: None)
            bus.start()
            self._bus = bus
            self._journal, recovered = open_journal(Path(self._folder.name) / "orders.db", AtOnce)
            self.ledger = Ledger(
                self._journal, recovered, bus, clock, IdFactory(clock, seed=self._number), "demo", lambda fill: None,
                lambda order: self.surfaced.append(order.client_order_id),
            )  # fmt: skip

        self._loop.run_until_complete(begin())

    def _run(self, work: Callable[[], T]) -> T:
        async def run() -> T:
            result = work()
            await asyncio.sleep(0.1)
            return result

        return self._loop.run_until_complete(run())

    def _next(self) -> int:
        self._number += 1
        return self._number

    # What the engine does

    @initialize(quantity=st.integers(1, 20), lies=st.booleans(), arrives=st.integers(0, 3))
    def an_order_is_sent(self, quantity: int, lies: bool, arrives: int) -> None:
        self.lies = lies
        self._folder = tempfile.TemporaryDirectory()
        self._loop = VirtualLoop()
        self._begin()
        request = OrderRequest(
            symbol="SPY",
            side=Side.BUY,
            quantity=Decimal(quantity),
            type=OrderType.LIMIT,
            limit_price=PRICE,
            sleeve="one",
        )
        self._send(order_of(request, "demo-one-1", 1))
        self._newest = "demo-one-1"
        if arrives:
            self.it_arrives(S.NEW)

    @precondition(lambda self: self.working and self._ours().status.is_final is False and self._ours().venue_order_id)
    @rule(more=st.integers(-5, 5))
    def it_is_changed(self, more: int) -> None:
        assert self.truth is not None
        old = self._ours()
        total = max(self.truth.quantity + more, self.truth.filled_quantity + 1)
        request = OrderRequest(
            symbol="SPY", side=Side.BUY, quantity=total - old.filled_quantity, type=OrderType.LIMIT, limit_price=PRICE,
            sleeve="one",
        )  # fmt: skip
        self._newest = f"demo-one-{self._next()}"
        self._send(replacement_of(old, request, self._newest, self._next()))
        left = total - self.truth.filled_quantity
        before, new_id = self.truth, f"v{self._number}"
        self._say(status=S.REPLACED, replaced_by=new_id)
        self.truth = self._order(self._newest, new_id, left, replaces=before.venue_order_id)
        self._say(status=S.NEW)

    @precondition(lambda self: self._ours().status is S.SENT)
    @rule(to=st.sampled_from([S.UNRESOLVED, S.REJECTED]))
    def nobody_answers(self, to: OrderStatus) -> None:
        order = self._ours()
        self._run(lambda: self.ledger.change_state(order, to, "no answer"))

    @rule()
    def it_dies_and_comes_back(self) -> None:
        before = self._picture()
        self._close()
        self._begin()
        assert self._picture() == before
        # What waited for its order is forgotten; it is told again when the venue is asked.
        self.heard = {fill.execution_id for fill in self._booked()}

    # What happens at the venue

    @property
    def working(self) -> bool:
        return self.truth is not None and not self.truth.status.is_final

    @precondition(lambda self: self.truth is None)
    @rule(status=st.sampled_from([S.ACCEPTED, S.PENDING_NEW, S.NEW, S.REJECTED]))
    def it_arrives(self, status: OrderStatus) -> None:
        self.truth = self._order("demo-one-1", "v0", self._ours().quantity)
        self._say(status=status)

    @precondition(lambda self: self.working)
    @rule(quantity=st.integers(1, 20))
    def it_is_executed(self, quantity: int) -> None:
        assert self.truth is not None
        part = min(Decimal(quantity), self.truth.quantity - self.truth.filled_quantity)
        filled = self.truth.filled_quantity + part
        at = self._say(
            status=S.FILLED if filled == self.truth.quantity else S.PARTIALLY_FILLED, filled_quantity=filled,
            average_fill_price=PRICE,
        )  # fmt: skip
        self.executed.append(
            VenueFill(
                execution_id=f"e{at}",
                venue_order_id=self.truth.venue_order_id,
                symbol="SPY",
                side=Side.BUY,
                quantity=part,
                price=PRICE,
                timestamp=at,
            )
        )

    @precondition(lambda self: self.working and self.truth.status not in (S.ACCEPTED, S.PENDING_NEW))
    @rule(status=st.sampled_from([S.PENDING_CANCEL, S.PENDING_REPLACE]))
    def something_is_asked_of_it(self, status: OrderStatus) -> None:
        self._say(status=status)

    @precondition(lambda self: self.working and self.truth.status in PASSING)
    @rule()
    def that_is_refused(self) -> None:
        assert self.truth is not None
        self._say(status=S.PARTIALLY_FILLED if self.truth.filled_quantity else S.NEW)

    @precondition(lambda self: self.working)
    @rule(status=st.sampled_from(LAST_WORDS), really=st.integers(0, 2))
    def it_ends(self, status: OrderStatus, really: int) -> None:
        if really == 0:
            self._say(status=status)

    # What is told of it

    @precondition(lambda self: self.told)
    @rule(which=anything)
    def something_is_told(self, which: int) -> None:
        self._tell(self.told[which % len(self.told)])

    @precondition(lambda self: self.executed)
    @rule(which=anything)
    def an_execution_is_told(self, which: int) -> None:
        self._tell_fill(self.executed[which % len(self.executed)])

    @precondition(lambda self: self.truth is not None and self.lies)
    @rule(status=st.sampled_from([*WORDS, *LAST_WORDS, S.FILLED]), share=st.integers(0, 4), at=anything)
    def something_untrue_is_told(self, status: OrderStatus, share: int, at: int) -> None:
        """Of no more shares than there are: a venue that trades more than was ordered has done so."""
        assert self.truth is not None
        filled = (self.truth.quantity * share / 4).to_integral_value()
        self._tell(msgspec.structs.replace(self.truth, status=status, filled_quantity=filled, updated_at=at))

    # What must hold

    @invariant()
    def a_filled_quantity_only_grows_and_stays_within_the_order(self) -> None:
        for order in self.ledger.book:
            assert self.before.get(order.client_order_id, (S.INTENT, Decimal(0), ""))[1] <= order.filled_quantity
            assert order.filled_quantity <= order.quantity

    @invariant()
    def nothing_goes_back(self) -> None:
        """But from a refused cancel or change, and from our own "rejected" when the venue has the order after all."""
        for order in self.ledger.book:
            was, _, venue_id = self.before.get(order.client_order_id, (S.INTENT, Decimal(0), ""))
            if was.is_final:
                assert order.status is was or (was is S.REJECTED and not venue_id)
            elif not order.status.is_final and was not in PASSING:
                assert PROGRESS[order.status] >= PROGRESS[was]
        self.before = {o.client_order_id: (o.status, o.filled_quantity, o.venue_order_id) for o in self.ledger.book}

    @invariant()
    def each_execution_is_booked_once(self) -> None:
        booked = self._booked()
        quantity = sum((fill.quantity for fill in booked), Decimal(0))
        assert self.ledger.positions.get("SPY", "one").quantity == quantity == self.ledger.positions.net("SPY")
        assert self.ledger.book.executions == len(booked)

    @invariant()
    def what_surfaces_is_to_be_cancelled(self) -> None:
        assert all(self.ledger.book.get(key).cancel_wanted for key in self.surfaced)  # type: ignore[union-attr]

    def teardown(self) -> None:
        """Once all is told, and the venue has been asked at last, the truth is known."""
        if not hasattr(self, "ledger"):
            return
        try:
            if self.ends and not self.lies:
                self._come_to_the_end()
        finally:
            self._close()
            self._loop.close()
            self._folder.cleanup()

    def _come_to_the_end(self) -> None:
        for said in [*reversed(self.told), *self.ends.values()]:
            self._tell(said)
        for fill in self.executed:
            self._tell_fill(fill)
        for key, end in self.ends.items():
            order = self.ledger.book.get(key)
            assert order is not None
            assert (order.status, order.filled_quantity) == (end.status, end.filled_quantity)
        assert not self.ledger.book.states.refused

    # Inside

    def _booked(self) -> list[VenueFill]:
        """What was heard of orders whose venue id is known."""
        heard = [fill for fill in self.executed if fill.execution_id in self.heard]
        return [fill for fill in heard if self.ledger.book.by_venue_id(fill.venue_order_id) is not None]

    def _ours(self) -> Order:
        order = self.ledger.book.get(self._newest)
        assert order is not None
        return order

    def _send(self, order: Order) -> None:
        self.ledger.book.add(order)
        self._loop.run_until_complete(self.ledger.save_before_sending(order))

    def _order(self, key: str, venue_id: str, quantity: Decimal, replaces: str = "") -> VenueOrder:
        return VenueOrder(
            client_order_id=key, venue_order_id=venue_id, symbol="SPY", side=Side.BUY, quantity=quantity,
            type=OrderType.LIMIT, time_in_force=TimeInForce.DAY, limit_price=PRICE, status=S.NEW, replaces=replaces,
            created_at=self._next(),
        )  # fmt: skip

    def _say(self, **changes: object) -> int:
        """The truth changes, and with it what can be told from now on."""
        assert self.truth is not None
        at = self._next()
        self.truth = msgspec.structs.replace(self.truth, updated_at=at, **changes)
        self.told.append(self.truth)
        self.ends[self.truth.client_order_id] = self.truth
        return at

    def _tell(self, said: VenueOrder) -> None:
        self._run(lambda: self.ledger.take_order(said))

    def _tell_fill(self, fill: VenueFill) -> None:
        self.heard.add(fill.execution_id)
        self._run(lambda: self.ledger.take_fill(fill))

    def _picture(self) -> dict[str, object]:
        orders = {o.client_order_id: (o.status, o.filled_quantity, o.quantity, o.replaces) for o in self.ledger.book}
        return {"orders": orders, "position": self.ledger.positions.get("SPY", "one").quantity}

    def _close(self) -> None:
        self._loop.run_until_complete(self._bus.close())
        self._loop.run_until_complete(self._journal.close())


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
