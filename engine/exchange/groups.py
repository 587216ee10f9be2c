"""Orders that live and die together: entries that activate their exits, and exits of which only one may fill.

An entry's complete fill activates its exits; its end takes them along. Of two exits, a partial fill of one shrinks the
other, and the end of one, filled or not, ends the other. One of the two holds the quantity for both.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.domain.orders import OrderStatus, OrderType
from engine.exchange.accounts import Hold
from engine.exchange.booking import Books
from engine.exchange.desk import Desk
from engine.exchange.exits import OCO, Exits
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import ZERO, Update, UpdateKind
from engine.exchange.records import OrderRecord

_ENDS = frozenset({UpdateKind.CANCELED, UpdateKind.EXPIRED, UpdateKind.REJECTED})


class Groups:
    """`book` is what books the updates that a reaction brings, which may bring further reactions."""

    def __init__(self, engine: MatchingEngine, books: Books, book: Callable[[list[Update]], None]) -> None:
        self._engine = engine
        self._books = books
        self._book = book

    def make_legs(self, desk: Desk, parent: OrderRecord, exits: Exits, new_id: Callable[[], str]) -> None:
        """Put the exits of `parent` on the desk, HELD until they are activated."""
        legs: list[OrderRecord] = []
        if exits.take_profit is not None and exits.order_class != OCO:
            legs.append(_leg(parent, exits, new_id, type=OrderType.LIMIT, limit_price=exits.take_profit))
        if exits.stop is not None:
            kind = OrderType.STOP if exits.stop_limit is None else OrderType.STOP_LIMIT
            leg = _leg(parent, exits, new_id, type=kind, limit_price=exits.stop_limit, stop_price=exits.stop)
            if exits.take_profit is not None:
                leg.covered_by = legs[0].order_id if legs else parent.order_id
            legs.append(leg)
        parent.order_class = exits.order_class
        parent.legs = tuple(leg.order_id for leg in legs)
        for leg in legs:
            self._books.add(desk, leg)
        for record in (parent, *legs):
            self._books.keep(record)

    def inherit(self, desk: Desk, old: OrderRecord, new: OrderRecord) -> None:
        """`new` takes the place that `old` has in its group."""
        new.order_class, new.parent_id, new.legs = old.order_class, old.parent_id, old.legs
        new.covered_by = old.covered_by
        for sibling in self._siblings(desk, old):
            if sibling.covered_by == old.order_id:
                sibling.covered_by = new.order_id
                if self._engine.get(sibling.order_id) is not None:
                    self._engine.amend(sibling.order_id, cancels=new.order_id)
                self._books.keep(sibling)
        if (parent := self._parent(desk, old)) is not None:
            parent.legs = tuple(new.order_id if leg == old.order_id else leg for leg in parent.legs)
            self._books.keep(parent)
        for leg in desk.legs(new):
            leg.parent_id = new.order_id
            if leg.status is OrderStatus.HELD:
                leg.quantity = old.filled_quantity + new.quantity
            self._books.keep(leg)

    def activate(self, desk: Desk, parent: OrderRecord, now: int) -> None:
        """Send the exits that are HELD to the market."""
        for leg in desk.legs(parent):
            if leg.status is not OrderStatus.HELD:
                continue
            leg.status = OrderStatus.PENDING_NEW
            if not leg.covered_by:
                self._hold(desk, leg)
            self._book(self._engine.submit(leg.to_book(), now))

    def react(self, record: OrderRecord, update: Update) -> None:
        if not record.order_class:
            return
        desk = self._books.desks[record.account_id]
        if record.parent_id is None and record.order_class != OCO:
            if update.kind is UpdateKind.FILL:
                self.activate(desk, record, update.timestamp)
            elif update.kind in _ENDS:
                self._end(desk.legs(record), update.timestamp)
        elif update.kind is UpdateKind.PARTIAL_FILL:
            for sibling in self._siblings(desk, record):
                self._shrink(desk, sibling, record)
        elif update.kind is UpdateKind.FILL:
            self._end(self._siblings(desk, record), update.timestamp)
        elif update.kind in _ENDS:
            self._exit_ended(desk, record, update.timestamp)

    def _exit_ended(self, desk: Desk, record: OrderRecord, now: int) -> None:
        """The rest of the group ends with it, except for a stop that has been set off: that goes on alone."""
        parent = self._parent(desk, record)
        rest = self._siblings(desk, record) if parent is None else [*self._siblings(desk, record), parent]
        for other in rest:
            working = self._engine.get(other.order_id)
            if working is not None and working.triggered:
                other.covered_by = ""
                self._hold(desk, other)
                self._books.keep(other)
            else:
                self._end([other], now)

    def cancel(self, record: OrderRecord, now: int) -> None:
        """Cancel one open order, wherever it waits; its group follows."""
        self._end([record], now)

    def _end(self, records: list[OrderRecord], now: int) -> None:
        for record in records:
            if self._engine.get(record.order_id) is not None:
                self._book(self._engine.cancel(record.order_id, now))
            elif record.status is OrderStatus.HELD:
                order = record.to_book()
                self._book([Update(kind=UpdateKind.CANCELED, order=order, timestamp=now)])

    def _shrink(self, desk: Desk, sibling: OrderRecord, filled: OrderRecord) -> None:
        stands = self._engine.get(sibling.order_id) is not None
        if not stands and sibling.status is not OrderStatus.HELD:
            return
        sibling.quantity = sibling.filled_quantity + filled.remaining
        if stands:
            self._engine.amend(sibling.order_id, quantity=sibling.quantity)
        if desk.account.take_hold(sibling.order_id) is not None:
            self._hold(desk, sibling)
        self._books.keep(sibling)

    @staticmethod
    def _hold(desk: Desk, exit_: OrderRecord) -> None:
        hold = Hold(symbol=exit_.symbol, side=exit_.side, quantity=exit_.remaining, unit_value=ZERO, closes=True)
        desk.account.hold(exit_.order_id, hold)

    @staticmethod
    def _parent(desk: Desk, record: OrderRecord) -> OrderRecord | None:
        return None if record.parent_id is None else desk.find(record.parent_id)

    def _siblings(self, desk: Desk, record: OrderRecord) -> list[OrderRecord]:
        """The other exits of the group."""
        parent = self._parent(desk, record) or record
        exits = desk.legs(parent)
        if parent.order_class == OCO:
            exits = [*exits, parent]
        return [exit_ for exit_ in exits if exit_ is not record]


def _leg(parent: OrderRecord, exits: Exits, new_id: Callable[[], str], **fields: object) -> OrderRecord:
    entry = exits.order_class != OCO
    shared = {
        "account_id": parent.account_id,
        "asset_id": parent.asset_id,
        "symbol": parent.symbol,
        "side": parent.side.opposite if entry else parent.side,
        "time_in_force": parent.time_in_force,
        "quantity": parent.quantity,
        "created_at": parent.created_at,
        "updated_at": parent.created_at,
        "status": OrderStatus.HELD,
        "order_class": exits.order_class,
        "parent_id": parent.order_id,
        "order_id": new_id(),
        "client_order_id": new_id(),
    }
    return msgspec.convert({**shared, **fields}, OrderRecord)
