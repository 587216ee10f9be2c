"""Make our picture of the venue right again, by asking: after a start, a reconnect, a silence, and now and then.

Open orders and fills are asked for first, then each order of ours that the venue did not list; positions come last,
because fills explain them. That an order is not found proves nothing while it may be on its way.
"""

from __future__ import annotations

import logging
from collections.abc import Container
from decimal import Decimal

import msgspec

from engine.broker.base import Broker
from engine.clock import Clock
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderStatus, Role
from engine.execution.ledger import Ledger
from engine.execution.succession import can_still_come, line_of
from engine.portfolio.bookings import KINDS

log = logging.getLogger(__name__)

OVERLAP = 120 * NANOSECONDS
"""Fills are asked for from this long before the newest we have; doubles are known by their id."""
BOOKINGS_OVERLAP = 3 * 86_400 * NANOSECONDS
"""Some bookings have a day and no time, and come late."""
LIFE_MARGIN = 15.0
TRIES = 5
"""How many rounds may look for the executions of one order beyond the usual window."""
CONFIRM = 15.0
"""Seconds for which a difference in a symbol that was traded lately must stand: the venue's lists may lag behind it."""
LATELY = 60.0
WATCH = 24 * 3600 * NANOSECONDS
"""How long an order of unknown outcome is watched before it is taken for lost."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What differed. `positions` is by how much the venue holds more than our fills explain."""

    positions: dict[str, str] = {}
    missing: list[str] = []
    """Our orders that the venue, against what it said before, does not know."""


class Reconciler:
    def __init__(self, broker: Broker, ledger: Ledger, clock: Clock, life: float) -> None:
        """`life` of an order on its way, in seconds: before that it is the sender's to ask for."""
        self.venue: dict[str, Decimal] | None = None
        """What the broker held when it was last asked; signed units by symbol."""
        self._broker = broker
        self._ledger = ledger
        self._clock = clock
        self._life = round((life + LIFE_MARGIN) * NANOSECONDS)
        self._since: int | None = None
        self._looked: dict[str, int] = {}
        self._looked_for_exits: dict[str, int] = {}
        self._suspected: dict[str, tuple[float, tuple[Decimal, int]]] = {}

    async def orders(self) -> Findings:
        """Raises UnavailableError or CredentialsError when the venue cannot be asked."""
        book = self._ledger.book
        for replaced in book.families.unfollowed():
            await self.follow(replaced.venue_order_id)
        await self.exits()
        before = [order for order in book.open if order.status is not OrderStatus.INTENT]
        listed = {order.client_order_id: order for order in await self._broker.open_orders()}
        for said in listed.values():
            self._ledger.take_order(said)
        missing = [
            order.client_order_id
            for order in before
            if order.is_open and order.client_order_id not in listed and not await self._ask(order)
        ]
        await self.fills()
        return Findings(missing=missing)

    async def left_behind(self, under_way: Container[str]) -> bool:
        """Ask for orders whose sender has ended, with its process or with its patience; whether the venue has some that
        it had not told of. Raises UnavailableError or CredentialsError when the venue cannot be asked.
        """
        states = {OrderStatus.SENT, OrderStatus.UNRESOLVED}
        left = [o for o in self._ledger.book.open if o.status in states and o.client_order_id not in under_way]
        for order in left:
            await self._ask(order)
        return any(order.venue_order_id for order in left)

    async def exits(self) -> None:
        """Look for the exits of orders that must have some; the venue's lists do not tell whose they are.

        Raises UnavailableError or CredentialsError when the venue cannot be asked.
        """
        for order in self._ledger.book.families.lacking():
            said = await self._broker.order_by_client_id(order.client_order_id)
            if said is None:
                continue
            said = await self._broker.order_by_id(said.venue_order_id)
            if said is not None:
                self._ledger.take_order(said)
            self._look_again(order)

    async def siblings(self, order: Order) -> None:
        """Ask for the other exits of its group. Raises as `exits` does."""
        book = self._ledger.book
        root = book.get(order.leg_of) or order
        for other in (root, *book.families.legs(root)):
            if other is not order and other.is_open and other.role is not Role.NONE:
                await self._ask(other)

    async def follow(self, venue_order_id: str) -> None:
        """Take in what took the place of an order. Raises as `exits` does; the next round tries again until it is known."""
        for said in await line_of(self._broker, venue_order_id):
            self._ledger.take_order(said)

    def _look_again(self, order: Order) -> None:
        looked = self._looked_for_exits.get(order.client_order_id, 0) + 1
        self._looked_for_exits[order.client_order_id] = looked
        if looked >= TRIES or order not in self._ledger.book.families.lacking():
            del self._looked_for_exits[order.client_order_id]
            self._ledger.book.families.give_up_on(order)

    async def fills(self) -> None:
        if self._since is None:
            # A first start begins with the account as it is; what was traded before is not ours to explain.
            self._since = self._ledger.last_fill_at or (await self._broker.clock()).timestamp
        after = max(self._since, self._ledger.last_fill_at) - OVERLAP
        for fill in await self._broker.fills(max(after, 0)):
            self._ledger.take_fill(fill)
        for venue_order_id in {fill.venue_order_id: None for fill in self._ledger.book.orphans()}:
            order = await self._broker.order_by_id(venue_order_id)
            if order is not None:
                self._ledger.take_order(order)
        await self._missed_fills()

    @property
    def has_suspicions(self) -> bool:
        """Whether a difference waits to be confirmed."""
        return bool(self._suspected)

    async def bookings(self) -> int:
        """Fees, dividends and splits, which change positions without a fill; how many were new."""
        new = 0
        keeper = self._ledger.bookings
        if not keeper.since:
            keeper.begin((await self._broker.clock()).timestamp)
        after = max(keeper.since, keeper.newest) - BOOKINGS_OVERLAP
        for said in await self._broker.bookings(max(after, 0), KINDS):
            if (booking := keeper.take(said)) is not None:
                new += 1
                log.info("%s %s: %s", booking.kind, booking.symbol, booking.parts)
        return new

    async def positions(self) -> Findings:
        """Compare with the venue's; what our fills do not explain goes to the external sleeve.

        A fill may be in the venue's position before we hear of it, so a difference counts only when orders and fills,
        asked for once more, bring nothing new; and not in a symbol where some are still awaited.
        """
        book, positions = self._ledger.book, self._ledger.positions
        await self.bookings()
        counted, asked = book.executions, self._clock.monotonic()
        venue = await self._broker.positions()
        self.venue = {position.symbol: position.quantity for position in venue}
        if not positions.differences(venue):
            self._suspected.clear()
            return Findings()
        found = await self.orders()
        if await self.bookings() or book.executions != counted:
            # Something was traded or booked while we asked; the next round will compare like with like.
            return found
        unconfirmed = self._unconfirmed(positions.differences(venue), asked)
        changed = positions.agree_with(venue, but=self._unsettled() | unconfirmed)
        return msgspec.structs.replace(found, positions={s: str(quantity) for s, quantity in changed.items()})

    async def _missed_fills(self) -> None:
        """Ask further back for the executions of orders that the venue calls more filled than we have heard.

        The beginning is the venue's own time of the order: its clock need not be ours.
        """
        wanted = self._awaited()
        created: list[int] = []
        for order in wanted:
            self._looked[order.client_order_id] = self._looked.get(order.client_order_id, 0) + 1
            said = await self._broker.order_by_client_id(order.client_order_id)
            if said is not None:
                created.append(said.created_at)
        if created:
            for fill in await self._broker.fills(max(min(created) - NANOSECONDS, 0)):
                self._ledger.take_fill(fill)
        for order in wanted:
            if self._ledger.book.filled(order) >= order.filled_quantity:
                self._looked.pop(order.client_order_id, None)

    def _awaited(self) -> list[Order]:
        missing = self._ledger.book.missing_fills()
        return [order for order in missing if self._looked.get(order.client_order_id, 0) < TRIES]

    def _unsettled(self) -> set[str]:
        """Symbols of which more fills are sure or likely to come."""
        on_the_way = [o for o in self._ledger.book.open if o.status in {OrderStatus.INTENT, OrderStatus.SENT}]
        return {order.symbol for order in [*self._awaited(), *on_the_way]}

    def _unconfirmed(self, differences: dict[str, Decimal], asked: float) -> set[str]:
        """A difference must be the same one from its first sight on: with no execution of ours in between.

        `asked`: when the venue was asked for its positions, which may be long ago where it answers badly.
        """
        counted, before = self._ledger.book.executions, self._suspected
        self._suspected = {}
        for symbol, difference in differences.items():
            since, what = asked, (difference, counted)
            if symbol in before and before[symbol][1] == what:
                since = before[symbol][0]
            self._suspected[symbol] = (since, what)
        fresh = {symbol for symbol, (since, _) in self._suspected.items() if asked - since < CONFIRM}
        return {symbol for symbol in fresh if self.traded_lately(symbol)}

    def traded_lately(self, symbol: str) -> bool:
        """Whether a list of the venue's that lags could differ from our fills because of our own orders."""
        working = any(not order.foreign for order in self._ledger.book.open_in(symbol))
        return working or self._ledger.quiet_for(symbol) < LATELY

    async def _ask(self, order: Order) -> bool:
        """Look one order up; False when the venue had it once and does not know it now."""
        said = await self._broker.order_by_client_id(order.client_order_id)
        if said is not None:
            self._ledger.take_order(said)
            if said.replaced_by:
                await self.follow(said.replaced_by)
            return True
        if order.replaces and not await self._can_come(order):
            self._ledger.change_state(order, OrderStatus.REJECTED, "The order that it was to replace had ended.")
        age = self._clock.now() - order.created_at
        if order.status is OrderStatus.SENT and age > self._life:
            # Sent by a process that did not live to hear the answer. Its exposure stays reserved.
            self._ledger.change_state(order, OrderStatus.UNRESOLVED, "The venue does not show it.")
        elif order.status is OrderStatus.UNRESOLVED and age > WATCH:
            self._ledger.change_state(order, OrderStatus.REJECTED, "The venue never showed it in 24 hours.")
        return not order.venue_order_id

    async def _can_come(self, order: Order) -> bool:
        """Whether a replacement that the venue does not show may still take place; what became of the old one is taken in."""
        old = self._ledger.book.get(order.replaces)
        if old is None or order.venue_order_id:
            return True
        line = await line_of(self._broker, old.venue_order_id)
        for said in line:
            self._ledger.take_order(said)
        return can_still_come(order, line)
