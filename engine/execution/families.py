"""Which orders belong together: exits and the order that brought them along, orders and those that took their place."""

from __future__ import annotations

from engine.domain.orders import Order, OrderClass, OrderStatus

_EXITS = {OrderClass.SIMPLE: 0, OrderClass.OTO: 1, OrderClass.OCO: 1, OrderClass.BRACKET: 2}
"""How many an order brings along."""
_UNBORN = frozenset({OrderStatus.INTENT, OrderStatus.BLOCKED, OrderStatus.REJECTED})


class Families:
    """By client order id; an index beside the book, which tells it of each order that comes, goes or moves."""

    def __init__(self) -> None:
        self._legs: dict[str, dict[str, Order]] = {}
        self._successors: dict[str, list[Order]] = {}
        self._grown: dict[str, Order] = {}
        self._lacking: set[str] = set()
        self._replaced: dict[str, Order] = {}

    def note(self, order: Order) -> None:
        """It is new, or its place in its family is."""
        if order.leg_of:
            self._legs.setdefault(order.leg_of, {})[order.client_order_id] = order
            self._lacking.discard(order.client_order_id)
            parent = self._grown.get(order.leg_of)
            if parent is not None and self._is_whole(parent):
                self._lacking.discard(order.leg_of)
        elif order.order_class is not OrderClass.SIMPLE and order.client_order_id not in self._grown:
            self._grown[order.client_order_id] = order
            if not self._is_whole(order):
                self._lacking.add(order.client_order_id)
        if order.replaces:
            known = self._successors.setdefault(order.replaces, [])
            if order not in known:
                known.append(order)

    def note_state(self, order: Order) -> None:
        if order.status is OrderStatus.REPLACED and order.venue_order_id:
            self._replaced[order.client_order_id] = order

    def forget(self, order: Order) -> None:
        for index in (self._legs, self._successors, self._grown, self._replaced):
            index.pop(order.client_order_id, None)
        self._lacking.discard(order.client_order_id)
        self._legs.get(order.leg_of, {}).pop(order.client_order_id, None)

    def legs(self, order: Order) -> list[Order]:
        return list(self._legs.get(order.client_order_id, {}).values())

    def inherit(self, old: Order) -> list[Order]:
        """Once `old` is replaced, what took its place has its exits; those that have moved."""
        heirs = [order for order in self.successors(old) if order.venue_order_id and order.status not in _UNBORN]
        if old.status is not OrderStatus.REPLACED or not heirs:
            return []
        moved = list(self._legs.pop(old.client_order_id, {}).values())
        for leg in moved:
            leg.leg_of = heirs[-1].client_order_id
            self.note(leg)
        return moved

    def successors(self, order: Order) -> list[Order]:
        """What took its place, or was to; oldest first."""
        return list(self._successors.get(order.client_order_id, ()))

    def unfollowed(self) -> list[Order]:
        """Replaced orders of which we have not seen what took their place. They are final, so nothing else asks for them."""
        for key, order in list(self._replaced.items()):
            if any(successor.venue_order_id for successor in self.successors(order)):
                del self._replaced[key]
        return list(self._replaced.values())

    def lacking(self) -> list[Order]:
        """Orders that the venue may have and of whose exits it has not shown all, or a disk that was full has kept but
        one. That we wanted to put another one in the place of an exit shows none: the exit itself may never have been
        written down.
        """
        found = (self._grown[key] for key in self._lacking)
        return [order for order in found if order.status not in _UNBORN]

    def give_up_on(self, order: Order) -> None:
        """It was asked for its exits often enough; none are awaited any more."""
        self._lacking.discard(order.client_order_id)

    def _is_whole(self, order: Order) -> bool:
        """An exit and what took its place are one, by what they are for."""
        return len({leg.role for leg in self.legs(order) if leg.venue_order_id}) >= _EXITS[order.order_class]
