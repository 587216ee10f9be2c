"""What people and bots do in a day, by chance: orders of every kind, changes, cancels, closes, signals, adoptions."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

from engine.control import Placed
from engine.domain.errors import PaddockError
from engine.domain.orders import Order, OrderChanges, OrderRequest, Side
from engine.streams.messages import Signal
from tests.faults import wishes
from tests.faults.life import BOTS, Life
from tests.faults.network import Network
from tests.faults.venue import SYMBOLS, VirtualVenue
from tests.faults.virtual import VirtualClock

FOUND = "found"
"""The sleeve that takes in what somebody else has placed."""
DEEDS = (
    "place", "place", "place", "place", "signal", "signal", "signal", "bracket", "bracket", "protect", "change", "change",
    "change", "waver", "cancel", "cancel", "cancel_all", "close", "regret", "adopt", "adopt", "wait",
)  # fmt: skip


class People:
    """`life` gives the engine as it lives now. What they were told, and what they may rely on, is kept for the audit."""

    def __init__(
        self, random: Random, venue: VirtualVenue, network: Network, clock: VirtualClock, life: Callable[[], Life]
    ) -> None:
        self.placed: dict[str, Placed] = {}
        self.cancelled: set[str] = set()
        """Orders whose cancel the engine has taken."""
        self.asked: dict[str, dict[str, Decimal]] = {}
        """For each wish the units asked for: the first time under no order's id, then under that of the order to change."""
        self.deeds: Counter[str] = Counter()
        self._random = random
        self._venue = venue
        self._network = network
        self._clock = clock
        self._life = life
        self._made = 0
        self._changed: list[str] = []
        self.problems: list[str] = []
        """What was told done and was not."""

    def do_something(self) -> None:
        getattr(self, f"_{self._random.choice(DEEDS)}")()

    def place_some(self, number: int) -> None:
        for _ in range(number):
            self._place()

    def place_for_the_close(self, number: int) -> None:
        for _ in range(number):
            symbol, side = self._random.choice(list(SYMBOLS)), self._random.choice([Side.BUY, Side.SELL])
            self._want("for the close", wishes.at_the_close(self._random, symbol, side, *self._venue.quote(symbol)))

    def _place(self) -> None:
        symbol, side = self._random.choice(list(SYMBOLS)), self._random.choice([Side.BUY, Side.BUY, Side.SELL])
        terms = wishes.terms(self._random, side, *self._venue.quote(symbol))
        self._want("place", wishes.order(self._random, symbol, side, terms))

    def _bracket(self) -> None:
        symbol, side = self._random.choice(list(SYMBOLS)), self._random.choice([Side.BUY, Side.BUY, Side.SELL])
        exits = wishes.exits(self._random, side, *self._venue.quote(symbol))
        self._want("bracket", wishes.order(self._random, symbol, side, exits, whole=True))

    def _protect(self) -> None:
        """One cancels the other: two exits of what is held."""
        held = [one for one in self._life().core.ledger.positions if one.sleeve in wishes.PEOPLE and one.quantity >= 1]
        if held:
            chosen = self._random.choice(held)
            exits = wishes.one_cancels_other(self._random, *self._venue.quote(chosen.symbol))
            quantity = Decimal(self._random.randint(1, int(chosen.quantity)))
            wish = wishes.order(self._random, chosen.symbol, Side.SELL, exits, whole=True, quantity=quantity)
            self._want("protect", wish, chosen.sleeve)

    def _want(self, deed: str, wish: dict[str, Any], sleeve: str = "") -> None:
        self._made += 1
        cause = f"wish-{self._made}"
        sleeve = sleeve or self._random.choice(wishes.PEOPLE)
        request = OrderRequest(**wish, sleeve=sleeve, cause_id=cause)
        self.asked[cause] = {"": request.quantity}
        self.deeds[deed] += 1
        life = self._life()

        async def place() -> None:
            placed = await life.core.place(request)
            if not life.is_dead:
                self.placed[placed.client_order_id] = placed

        life.spawn(place())

    def _change(self) -> Order | None:
        """Another quantity or price for an order that works."""
        working = [order for order in self._life().core.ledger.book.open if order.venue_order_id and not order.foreign]
        if not working:
            return None
        order = self._random.choice(working)
        changes = wishes.changes(self._random, order, *self._venue.quote(order.symbol))
        if changes.quantity is not None and (asked := self.asked.get(order.cause_id)) is not None:
            asked[order.client_order_id] = max(asked.get(order.client_order_id, changes.quantity), changes.quantity)
        self.deeds["change"] += 1
        key = order.client_order_id
        self._changed.append(key)
        self._do(lambda life: self._replace(life, key, changes))
        return order

    async def _replace(self, life: Life, key: str, changes: OrderChanges) -> None:
        placed = await life.core.replace(key, changes)
        if not life.is_dead:
            self.placed[placed.client_order_id] = placed

    def _waver(self) -> None:
        """An order is changed, and cancelled while the change is on its way."""
        order = self._change()
        if order is not None:
            self.deeds["waver"] += 1
            key, life = order.client_order_id, self._life()
            asyncio.get_running_loop().call_later(
                self._random.uniform(0.0, 0.4), lambda: None if life.is_dead else self._cancel_one(key)
            )

    def _signal(self) -> None:
        self.deeds["signal"] += 1
        sleeve = self._random.choice(list(BOTS))
        self._made += 1
        signal = Signal(
            signal_id=f"signal-{self._made}", sleeve=sleeve, strategy="test", symbol=BOTS[sleeve],
            weight=self._random.choice([-0.5, 0.0, 0.3, 0.6, 1.0]), confidence=1.0, price=1.0, as_of=0,
            made_at=self._clock.now(),
        )  # fmt: skip
        for _ in range(self._random.choice([1, 1, 2])):
            self._life().signals.take(signal)

    def _cancel(self) -> None:
        """Sometimes by the id that an order had before it was changed, as a row says that is a moment old."""
        if self._changed and self._random.random() < 0.3:
            self._cancel_by_old_id(self._random.choice(self._changed))
            return
        working = self._life().core.ledger.book.open
        if working:
            self._cancel_one(self._random.choice(working).client_order_id)

    def _cancel_by_old_id(self, key: str) -> None:
        """It reaches what took the place of the order, where the engine has heard of that; or will, once it may."""
        record = self._venue.desk.find_client(key)
        newest = None if record is None or record.replaced_by is None else self._venue.desk.find(record.replaced_by)
        known = None if newest is None else self._life().core.ledger.book.get(newest.client_order_id)

        def done() -> None:
            self.cancelled.add(key)
            heard = known is not None and known.venue_order_id and known.replaces and not known.cancel_wanted
            if newest is not None and newest.is_open and heard:
                self.problems.append(f"{key} was cancelled, and {newest.client_order_id} in its place is still open")

        self.deeds["cancel by an old id"] += newest is not None
        self._do(lambda life: life.core.cancel(key), done)

    def _cancel_one(self, key: str) -> None:
        self.deeds["cancel"] += 1
        self._do(lambda life: life.core.cancel(key), lambda: self.cancelled.add(key))

    def _regret(self) -> None:
        """An order is cancelled while it is long on its way."""
        self.deeds["regret"] += 1
        self._network.held_back = 1
        self._place()
        asyncio.get_running_loop().call_later(self._random.uniform(0.03, 0.5), self._cancel_newest)

    def _cancel_newest(self) -> None:
        working = self._life().core.ledger.book.open
        if working and not self._life().is_dead:
            self._cancel_one(max(working, key=lambda order: order.created_at).client_order_id)

    def _cancel_all(self) -> None:
        self.deeds["cancel all"] += 1
        self._do(lambda life: life.core.cancel_all())

    def _close(self) -> None:
        self.deeds["close"] += 1
        symbol = self._random.choice(list(SYMBOLS))
        self._do(lambda life: life.core.close_position(symbol))

    def _adopt(self) -> None:
        foreign = [order for order in self._life().core.ledger.book.open if order.foreign]
        if foreign:
            key = self._random.choice(foreign).client_order_id
            self._do(lambda life: life.core.adopt(key, FOUND), lambda: self.deeds.update(["adopt"]))

    def _wait(self) -> None: ...

    def _do(self, work: Callable[[Life], Awaitable[Any]], done: Callable[[], object] = lambda: None) -> None:
        life = self._life()

        async def tolerant() -> None:
            try:
                await work(life)
            except PaddockError:
                return
            if not life.is_dead:
                done()

        life.spawn(tolerant())
