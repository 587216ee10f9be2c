"""The emergency stop: cancel everything, ask until nothing is open, flatten, ask again, and say what is true.

A venue that does not answer at first is asked again, to cancel and to say what is held: one failure must leave nothing.
Every phase has an end, so the report comes whatever the venue does; what is not known then is named as such.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from engine.broker.base import Broker, VenueOrder
from engine.clock import Clock
from engine.control import EmergencyReport
from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderStatus
from engine.domain.portfolio import VenuePosition
from engine.execution.book import OrderBook
from engine.execution.flatten import Flattening
from engine.execution.reconcile import Reconciler
from engine.execution.still_held import StillHeld

PHASE = 10.0
"""Seconds to wait for the cancels, and again for the closing orders."""
CANCEL_AGAIN = 1.0
"""Seconds after which what is still open is cancelled once more."""
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5
ATTEMPTS = 2
"""How often positions are closed, counting those that only closing the others has brought about."""

ROUNDS = 5
"""How often all is asked for again because of what was heard meanwhile; then nothing is certain."""

DOUBTFUL = {OrderStatus.INTENT, OrderStatus.SENT, OrderStatus.UNRESOLVED}
"""It is not known whether the venue has the order."""
T = TypeVar("T")


class EmergencyStop:
    """Needs REST only; works while the stream is down.

    Doubtful orders that are `under_way`, by their ids, are waited for; the others' senders are gone, so nothing more is
    to come of them, and the venue is asked for them. That the venue does not list an order which is open by all we have
    heard proves nothing: its list may be seconds behind, and the order may have been filled.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        flattening: Flattening,
        book: OrderBook,
        reconciler: Reconciler,
        under_way: Collection[str],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._flattening = flattening
        self._book = book
        self._reconciler = reconciler
        self._under_way = under_way
        self._closing: set[asyncio.Task[str]] = set()
        self._steps: list[str] = []
        self._started = clock.monotonic()
        self._flatten = False

    async def run(self, flatten: bool) -> EmergencyReport:
        """Never raises for what the venue does: that is in the report."""
        self._flatten = flatten
        self._step("trading halted")
        cancelled = await self._cancel_all()
        landed, found = await self._landed(), await self._found()
        if landed or found:
            cancelled = await self._cancel_all()
        orders = await self._until_cancelled(cancelled)
        positions: Sequence[VenuePosition] | None = ()
        if flatten:
            orders, positions = await self._flat()
        else:
            await self._hear_of_all()
        return self._report(orders, positions)

    async def _flat(self) -> tuple[Sequence[VenueOrder] | None, Sequence[VenuePosition] | None]:
        """The open orders and positions that are left, None where the venue does not say, or there is news without end.

        Asked again when an order of which nobody knew was cleared up meanwhile, or one turns out to be filled, somebody
        else's too: that may have been after the venue told the positions, or just before.
        """
        for _ in range(ROUNDS):
            unknown = {order.client_order_id for order in self._doubtful()}
            filled = {order.client_order_id: order.filled_quantity for order in self._book.open}
            positions = await self._until_known(self._flattening.held, "positions")
            if positions:
                positions = await self._close(positions)
            orders = await self._ask(self._broker.open_orders, "open orders")
            await self._hear_of_all()
            cleared_up = not unknown <= {order.client_order_id for order in self._doubtful()}
            unseen = positions is not None and self._flattening.unseen(positions)
            if not cleared_up and not self._more_filled(filled) and not unseen:
                return orders, positions
        return orders, None

    async def _close(self, positions: Sequence[VenuePosition]) -> Sequence[VenuePosition] | None:
        """What is left, None where the venue does not say. What closing cannot have led to is closed in its turn."""
        left: Sequence[VenuePosition] | None = positions
        for _ in range(ATTEMPTS):
            await self._close_all(positions)
            still = StillHeld(self._flattening.held, self._clock, positions)
            left = await self._until_none(still.ask, "open positions")
            positions = still.strange(left or ())
            if not positions:
                break
        return left

    async def _hear_of_all(self) -> None:
        """Ask for the orders that the venue does not list: whose end we have not heard, or of which we heard only a fill."""
        if not self._book.open and not self._book.orphans():
            return
        try:
            async with asyncio.timeout(PHASE):
                await self._reconciler.orders()
        except (PaddockError, TimeoutError) as error:
            self._step(f"orders whose end is not known: {_words(error)}")

    def _more_filled(self, before: dict[str, Decimal]) -> bool:
        known = ((self._book.get(key), quantity) for key, quantity in before.items())
        return any(order is not None and order.filled_quantity > quantity for order, quantity in known)

    def so_far(self) -> EmergencyReport:
        """While it runs."""
        text = f"NOT CONFIRMED yet at {self._time()}: trading is halted here, and the venue goes on being asked."
        return self._made(text, flat=False, final=False, orders=self._perhaps(), positions=[])

    async def _cancel_all(self) -> bool:
        """Whether the venue took it."""
        try:
            self._step(f"cancel asked for {await self._broker.cancel_all()} orders")
        except PaddockError as error:
            self._step(f"cancel all failed: {error.message}")
            for order in await self._ask(self._broker.open_orders, "open orders") or ():
                await self._cancel_one(order)
            return False
        return True

    async def _until_cancelled(self, taken: bool) -> Sequence[VenueOrder] | None:
        """Cancel again while the venue has not taken it, and now and then what is open all the same."""
        asked_at = self._clock.monotonic()

        async def ask() -> Sequence[VenueOrder]:
            nonlocal asked_at, taken
            found = await self._broker.open_orders()
            if found and (not taken or self._clock.monotonic() - asked_at >= CANCEL_AGAIN):
                taken = await self._cancel_all()
                asked_at = self._clock.monotonic()
            return found

        return await self._until_none(ask, "open orders")

    async def _landed(self) -> bool:
        """Wait until no order is on its way any more; whether there was one."""
        deadline = self._clock.monotonic() + PHASE
        waited = False
        while self._under_way and self._clock.monotonic() < deadline:
            waited = True
            await asyncio.sleep(FIRST_PAUSE)
        if waited:
            self._step(f"orders still on their way: {len(self._under_way)}")
        return waited

    async def _found(self) -> bool:
        """Whether the venue has orders of which we did not know, as their sender has ended."""
        if all(order.client_order_id in self._under_way for order in self._doubtful()):
            return False
        try:
            async with asyncio.timeout(PHASE):
                found = await self._reconciler.left_behind(self._under_way)
        except (PaddockError, TimeoutError) as error:
            self._step(f"orders of an earlier run: {_words(error)}")
            return False
        self._step(f"orders of an earlier run that nobody knows of: {len(self._doubtful())}")
        return found

    async def _close_all(self, positions: Sequence[VenuePosition]) -> None:
        """All at once: a symbol without an answer must not hold up the others. Late ones go on in the background."""
        tasks = {asyncio.ensure_future(self._flattening.close(position)): position for position in positions}
        if not tasks:
            return
        self._closing.update(tasks)
        await asyncio.wait(tasks, timeout=PHASE)
        for task, position in tasks.items():
            said = _outcome(task)
            self._step(f"close {position.quantity} {position.symbol}: {said}")

    async def _cancel_one(self, order: VenueOrder) -> None:
        try:
            await self._broker.cancel(order.venue_order_id)
        except PaddockError as error:
            self._step(f"cancel of {order.client_order_id} failed: {error.message}")

    async def _until_none(self, ask: Callable[[], Awaitable[Sequence[T]]], what: str) -> Sequence[T] | None:
        return await self._until(ask, what, lambda found: found is not None and not found)

    async def _until_known(self, ask: Callable[[], Awaitable[Sequence[T]]], what: str) -> Sequence[T] | None:
        return await self._until(ask, what, lambda found: found is not None)

    async def _until(
        self, ask: Callable[[], Awaitable[Sequence[T]]], what: str, enough: Callable[[Sequence[T] | None], bool]
    ) -> Sequence[T] | None:
        deadline = self._clock.monotonic() + PHASE
        pause = FIRST_PAUSE
        while True:
            found = await self._ask(ask, what)
            if self._clock.monotonic() > deadline or enough(found):
                self._step(f"{what}: {'not known' if found is None else len(found)}")
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def _ask(self, ask: Callable[[], Awaitable[Sequence[T]]], what: str) -> Sequence[T] | None:
        """None when the venue does not say."""
        try:
            return await ask()
        except PaddockError as error:
            self._step(f"{what}: {error.message}")
            return None

    def _step(self, text: str) -> None:
        elapsed = (self._clock.monotonic() - self._started) * 1000
        self._steps.append(f"{elapsed:7.0f} ms  {text}")

    def _report(
        self, orders: Sequence[VenueOrder] | None, positions: Sequence[VenuePosition] | None
    ) -> EmergencyReport:
        at = self._time()
        left = [f"order {o.side.value} {o.quantity} {o.symbol} ({o.client_order_id})" for o in orders or ()]
        left += self._perhaps({order.client_order_id for order in orders or ()})
        held = [_worded(position) for position in positions or ()]
        certain = orders is not None and positions is not None
        flat = certain and not left and not held
        if flat:
            text = (
                f"FLAT CONFIRMED at {at}" if self._flatten else f"NO ORDER OPEN, confirmed at {at}; positions are kept"
            )
        elif certain:
            text = f"NOT FLAT at {at}; remaining: " + "; ".join(left + held)
        else:
            text = f"NOT CONFIRMED at {at}: the venue does not answer, or contradicts itself. Check the account there."
        return self._made(text, flat=flat and self._flatten, final=certain and not left, orders=left, positions=held)

    def _made(self, text: str, *, flat: bool, final: bool, orders: list[str], positions: list[str]) -> EmergencyReport:
        return EmergencyReport(
            flat=flat,
            text=text,
            steps=list(self._steps),
            open_orders=orders,
            open_positions=positions,
            milliseconds=(self._clock.monotonic() - self._started) * 1000,
            final=final,
        )

    def _doubtful(self) -> list[Order]:
        return [order for order in self._book.open if order.status in DOUBTFUL]

    def _perhaps(self, listed: Collection[str] = ()) -> list[str]:
        unheard = (order for order in self._book.open if order.client_order_id not in listed)
        perhaps = [f"perhaps {o.side.value} {o.quantity} {o.symbol} ({o.client_order_id})" for o in unheard]
        strange = {fill.venue_order_id: fill.symbol for fill in self._book.orphans()}
        return perhaps + [
            f"perhaps {symbol} (order {key}, of which the venue tells only fills)" for key, symbol in strange.items()
        ]

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock.now() / NANOSECONDS, UTC).strftime("%H:%M:%S UTC")


def _outcome(task: asyncio.Future[str]) -> str:
    if not task.done():
        return "no answer yet"
    error = task.exception()
    return task.result() if error is None else f"failed: {error}"


def _words(error: PaddockError | TimeoutError) -> str:
    return error.message if isinstance(error, PaddockError) else "no answer in time"


def _worded(position: VenuePosition) -> str:
    if position.quantity == 0:
        return f"{position.symbol}, which the venue does not show now and of which it is not sure that it is closed"
    return f"{position.quantity} {position.symbol}"
