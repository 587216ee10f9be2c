"""Take an order that was placed elsewhere into one of our sleeves, because a person says so or the configuration does.

From then on it is ours: its fills are booked to the sleeve, it can be changed, risk counts it as the sleeve's. What it
filled before stays where it was booked, under the external sleeve. The choice is written to the journal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from engine.clock import Clock
from engine.domain.errors import OrderError
from engine.domain.orders import Order
from engine.execution.alarms import Alarms
from engine.execution.ledger import Ledger
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.storage.journal import Journal
from engine.storage.trail import Fact

PREFIX = "adopted/"
SLEEVE = re.compile(r"[a-z][a-z0-9-]{0,14}")
"""What a bot may be named; the name is part of an order's id."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """The audit row of one adoption. `at` in int nanoseconds UTC, quantities in units."""

    sleeve: str
    by: str
    at: int
    filled_before: str
    """Of which nothing was given to the sleeve."""


class Adoption:
    def __init__(self, ledger: Ledger, journal: Journal, alarms: Alarms, clock: Clock, into: str = "") -> None:
        """`into` is the sleeve that takes every foreign order that is seen open; empty leaves them foreign."""
        self._ledger = ledger
        self._journal = journal
        self._alarms = alarms
        self._clock = clock
        self._into = into
        self._under_way: set[str] = set()
        """Orders whose adoption is being written down: nobody else may take them meanwhile."""

    async def adopt(self, client_order_id: str, sleeve: str) -> list[Order]:
        """The order with its open exits. Durable on return. Raises OrderError, and then nothing has changed."""
        order = self._ledger.book.get(client_order_id)
        if order is None:
            raise OrderError(f"There is no order {client_order_id}.", "Refresh the list of orders.")
        if not order.foreign:
            raise OrderError(f"The order belongs to {order.sleeve} already.", "Nothing needs to be done.")
        if not order.is_open:
            raise OrderError(
                f"The order is {order.status.value}; what it filled was booked.",
                "Give its shares to a sleeve in the menu of the positions.",
            )
        if sleeve == EXTERNAL_SLEEVE or SLEEVE.fullmatch(sleeve) is None:
            raise OrderError(f"{sleeve!r} is not the name of a sleeve of ours.", "Choose a bot's, or manual.")
        family = self._family(order)
        if order not in family:
            raise OrderError("The order is being adopted at this moment.", "Look at it again in a second.")
        names = {one.client_order_id for one in family}
        self._under_way |= names
        try:
            await self._write(family, sleeve)
            self._take(family, sleeve)
        finally:
            self._under_way -= names
        return family

    async def _write(self, family: list[Order], sleeve: str) -> None:
        rows = [msgspec.structs.replace(one) for one in family]
        for row in rows:
            self._give(row, sleeve)
        await self._journal.append(*rows, *(self._fact(one, sleeve, "a person") for one in family))

    def catch_up(self, orders: Iterable[Order]) -> None:
        """As the configuration says, for orders that are seen for the first time."""
        for order in orders:
            family = self._family(order) if self._into and order.foreign and order.is_open else []
            if family:
                rows = (self._fact(one, self._into, "the configuration") for one in family)
                self._journal.append_soon(*rows).add_done_callback(lambda written: written.exception())
                self._take(family, self._into)

    def _family(self, order: Order) -> list[Order]:
        book = self._ledger.book
        root = book.get(order.leg_of) or order
        free = (one for one in (root, *book.families.legs(root)) if one.client_order_id not in self._under_way)
        return [one for one in free if one.foreign and one.is_open]

    def _take(self, family: list[Order], sleeve: str) -> None:
        for order in family:
            self._give(order, sleeve)
            self._ledger.settle(order)
            self._alarms.adopted(order)

    def _give(self, order: Order, sleeve: str) -> None:
        order.foreign, order.sleeve, order.adopted_at = False, sleeve, order.told_at or self._clock.now()

    def _fact(self, order: Order, sleeve: str, by: str) -> Fact:
        row = Adopted(sleeve=sleeve, by=by, at=self._clock.now(), filled_before=f"{order.filled_quantity:f}")
        return Fact(PREFIX + order.client_order_id, msgspec.json.encode(row).decode())
