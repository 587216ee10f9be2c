"""From a meeting of order and market to updates: fills of the size and price that the model gives, and ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from random import Random

from engine.domain.orders import TimeInForce
from engine.exchange.fills import FillModel, cap
from engine.exchange.liquidity import Liquidity
from engine.exchange.orders import ZERO, Update, UpdateKind, Working
from engine.exchange.standing import Standing

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Filling:
    """Takes orders that are done out of `standing`. Ids of fills are UUIDs from `random` unless `execution_id` makes them."""

    def __init__(
        self,
        model: FillModel,
        standing: Standing,
        market: Liquidity,
        random: Random,
        execution_id: Callable[[], str] | None,
    ) -> None:
        self._model = model
        self._standing = standing
        self._market = market
        self._random = random
        self._execution_id = execution_id or self._random_id

    def fill(
        self, working: Working, price: Decimal, available: Decimal | None, now: int, *, whole: bool = False
    ) -> list[Update]:
        """At most `available` units of what remains; `whole` leaves the model's random part fills out."""
        order = working.order
        possible = cap(working.remaining, available)
        fills_or_dies = order.time_in_force is TimeInForce.FOK
        if possible <= 0 or (fills_or_dies and possible < working.remaining):
            return []
        quantity = possible if whole or fills_or_dies else self._model.quantity(possible, self._random)
        paid = price
        if not working.rests:
            paid = self._model.price(order.side, price, working.limit, self._market.impact(order.symbol, quantity))
        working.filled += quantity
        done = working.remaining == 0
        if done:
            self._standing.leave(working)
        return [
            Update(
                kind=UpdateKind.FILL if done else UpdateKind.PARTIAL_FILL,
                order=order,
                timestamp=now,
                filled_quantity=working.filled,
                quantity=quantity,
                price=paid,
                fee=self._model.fee(quantity, paid),
                execution_id=self._execution_id(),
            )
        ]

    def end(self, working: Working, kind: UpdateKind, now: int, reason: str = "") -> Update:
        self._standing.leave(working)
        return Update(kind=kind, order=working.order, timestamp=now, filled_quantity=working.filled, reason=reason)

    def end_at_once(self, working: Working, now: int) -> list[Update]:
        """IOC and FOK: what was not filled by now never will be."""
        if working.order.time_in_force not in _AT_ONCE or not self._standing.holds(working):
            return []
        if working.waits_for_trigger:
            return []
        return [self.end(working, UpdateKind.CANCELED, now, "not filled at once")]

    def _random_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def total(fills: list[Update]) -> Decimal:
    return sum((fill.quantity for fill in fills), ZERO)


def less(available: Decimal | None, fills: list[Update]) -> Decimal | None:
    return None if available is None else available - total(fills)
