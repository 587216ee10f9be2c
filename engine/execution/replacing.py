"""Change a working order: the change is an intent of its own, with its own id, judged with the old order's exposure
replaced, written down before it is sent. The old order keeps working until the venue says that it is replaced.
"""

from __future__ import annotations

from engine.clock import Clock
from engine.control import Placed, Verdict
from engine.domain.errors import OrderError
from engine.domain.orders import Order, OrderChanges, OrderClass, OrderStatus, OrderType
from engine.execution.alarms import Alarms
from engine.execution.dispatch import Dispatch
from engine.execution.ledger import Ledger
from engine.execution.making import replacement_of, request_of
from engine.execution.pictures import Pictures
from engine.risk import gate

_S = OrderStatus
_TOO_EARLY = frozenset({_S.INTENT, _S.SENT, _S.UNRESOLVED, _S.ACCEPTED, _S.PENDING_NEW, _S.PENDING_REPLACE})
_ON_THE_WAY = frozenset({_S.INTENT, _S.SENT})
_PRICED = {
    "limit_price": frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
    "stop_price": frozenset({OrderType.STOP, OrderType.STOP_LIMIT}),
    "trail": frozenset({OrderType.TRAILING_STOP}),
}
"""The types of order that have each of the prices."""


class Replacing:
    def __init__(self, ledger: Ledger, pictures: Pictures, dispatch: Dispatch, alarms: Alarms, clock: Clock) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._dispatch = dispatch
        self._alarms = alarms
        self._clock = clock

    def check(self, client_order_id: str, changes: OrderChanges) -> Verdict:
        """What `replace` would meet now, without changing anything."""
        try:
            old = self._changeable(client_order_id, changes)
        except OrderError as error:
            return Verdict(allowed=False, rule="replaceable", message=error.message, remedy=error.remedy)
        return self._verdict(old, changes)

    async def replace(self, client_order_id: str, changes: OrderChanges, new_id: str) -> Placed:
        """`new_id` is the replacement's. Raises OrderError for what cannot be changed that way; nothing was sent then."""
        old = self._changeable(client_order_id, changes)
        verdict = self._verdict(old, changes)
        order = replacement_of(old, request_of(old, changes), new_id, self._clock.now())
        placed = await self._dispatch.go(order, verdict)
        if order.status is OrderStatus.REJECTED and old.is_open:
            self._alarms.not_replaced(old, placed.message)
        return placed

    def _verdict(self, old: Order, changes: OrderChanges) -> Verdict:
        request = request_of(old, changes)
        return gate.check(request, self._pictures.of(request, replaces=old))

    def _changeable(self, client_order_id: str, changes: OrderChanges) -> Order:
        old = self._ledger.book.get(client_order_id)
        if old is None:
            raise OrderError(f"There is no order {client_order_id}.", "Refresh the list of orders.")
        _check_state(old, self._ledger.book.families.successors(old))
        _check_changes(old, changes)
        return old


def _check_state(old: Order, successors: list[Order]) -> None:
    if old.status.is_final:
        raise OrderError(f"The order is {old.status.value} already.", "Place a new one.")
    if old.foreign:
        raise OrderError("The order was placed elsewhere.", "Adopt it into a sleeve first, or change it there.")
    if old.cancel_wanted or old.status is OrderStatus.PENDING_CANCEL:
        raise OrderError("The order is being cancelled.", "Place a new one when it is.")
    if any(order.status in _ON_THE_WAY for order in successors):
        raise OrderError("A change of this order is on its way.", "Wait for its answer.")
    if old.status in _TOO_EARLY or not old.venue_order_id:
        raise OrderError(
            f"The venue does not change an order that is {old.status.value.replace('_', ' ')}.",
            "Wait a moment, or cancel it.",
        )


def _check_changes(old: Order, changes: OrderChanges) -> None:
    trail = old.trail_price if old.trail_percent is None else old.trail_percent
    before = {"limit_price": old.limit_price, "stop_price": old.stop_price, "trail": trail, "quantity": old.quantity}
    wanted = {name: value for name in before if (value := getattr(changes, name)) is not None}
    for name in wanted:
        if name in _PRICED and old.type not in _PRICED[name]:
            kind = old.type.value.replace("_", "-")
            raise OrderError(f"A {kind} order has no {name.replace('_', ' ')}.", "Leave it empty.")
    if all(before[name] == value for name, value in wanted.items()):
        raise OrderError("Nothing would change.", "Enter another quantity or price.")
    quantity = wanted.get("quantity")
    if quantity is None or quantity == old.quantity:
        return
    if old.leg_of or old.order_class is OrderClass.OCO:
        raise OrderError("The quantity of an exit follows from its group.", "Change its price only.")
    if not quantity.is_finite() or quantity <= old.filled_quantity:
        raise OrderError(
            f"{old.filled_quantity:f} are filled; the quantity must be above that.", "Cancel the order to keep those."
        )
