"""The emergency stop: cancel everything, ask until nothing is open, flatten, ask again, and say what is true.

A venue that does not answer at first is asked again, to cancel and to say what is held: one failure must leave nothing.
Every phase has an end, so the report comes whatever the venue does; what is not known then is named as such.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from engine.broker.base import Broker, VenueOrder
from engine.clock import Clock
from engine.control import EmergencyReport
from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order
from engine.domain.portfolio import VenuePosition
from engine.execution.flatten import Flattening

PHASE = 10.0
"""Seconds to wait for the cancels, and again for the closing orders."""
CANCEL_AGAIN = 1.0
"""Seconds after which what is still open is cancelled once more."""
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.5

Doubtful = Callable[[], list[Order]]
T = TypeVar("T")


class EmergencyStop:
    """Needs REST only; works while the stream is down.

    `doubtful` gives our orders of which it is not known whether the venue has them. Those `under_way`, by their ids, are
    waited for; the others' senders are gone, so nothing more is to come of them, and `look` asks the venue for them:
    whether it had not told of some.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        flattening: Flattening,
        doubtful: Doubtful,
        under_way: Collection[str],
        look: Callable[[Collection[str]], Awaitable[bool]],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._flattening = flattening
        self._doubtful = doubtful
        self._under_way = under_way
        self._look = look
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
        return self._report(orders, positions)

    async def _flat(self) -> tuple[Sequence[VenueOrder] | None, Sequence[VenuePosition] | None]:
        """The open orders and positions that are left, None where the venue does not say.

        Asked again when an order of which nobody knew was cleared up meanwhile: it may have been filled after the
        venue told the positions.
        """
        while True:
            unknown = {order.client_order_id for order in self._doubtful()}
            positions = await self._until_known(self._flattening.held, "positions")
            if positions:
                await self._close_all(positions)
                positions = await self._until_none(self._flattening.held, "open positions")
            orders = await self._ask(self._broker.open_orders, "open orders")
            if unknown <= {order.client_order_id for order in self._doubtful()}:
                return orders, positions

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
                found = await self._look(self._under_way)
        except (PaddockError, TimeoutError) as error:
            self._step(f"orders of an earlier run: {getattr(error, 'message', 'no answer in time')}")
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
        left += self._perhaps()
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
            text = f"NOT CONFIRMED at {at}: the venue does not answer. Check the account at the venue itself."
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

    def _perhaps(self) -> list[str]:
        return [f"perhaps {o.side.value} {o.quantity} {o.symbol} ({o.client_order_id})" for o in self._doubtful()]

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock.now() / NANOSECONDS, UTC).strftime("%H:%M:%S UTC")


def _outcome(task: asyncio.Future[str]) -> str:
    if not task.done():
        return "no answer yet"
    error = task.exception()
    return task.result() if error is None else f"failed: {error}"


def _worded(position: VenuePosition) -> str:
    if position.quantity == 0:
        return f"{position.symbol}, which the venue does not show and our fills do not see closed"
    return f"{position.quantity} {position.symbol}"
