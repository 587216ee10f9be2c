"""Mistakes with what the venue books by itself: splits, dividends, cash for fractions."""

from __future__ import annotations

from itertools import count

import msgspec

from engine.broker.base import VenueBooking
from engine.domain.portfolio import Booking
from engine.execution.bookkeeping import Bookkeeper
from engine.execution.reconcile import Reconciler
from engine.portfolio.positions import Positions
from tests.faults.planting import BUGS, bug

__all__ = ["BUGS"]


@bug
def nobody_asks_for_splits() -> None:
    async def none(self: Reconciler) -> int:
        return 0

    Reconciler.bookings = none  # type: ignore[method-assign]


@bug
def a_booking_counts_as_often_as_it_is_told() -> None:
    take, number = Bookkeeper.take, count(1)

    def again(self: Bookkeeper, said: VenueBooking) -> Booking | None:
        if said.activity_id in self._known:
            said = msgspec.structs.replace(said, activity_id=f"{said.activity_id}-{next(number)}")
        return take(self, said)

    Bookkeeper.take = again  # type: ignore[method-assign]


@bug
def a_split_loses_what_rounding_leaves() -> None:
    book = Positions.book

    def whole(self: Positions, booking: Booking) -> None:
        parts = [msgspec.structs.replace(part, quantity=part.quantity // 1) for part in booking.parts]
        book(self, msgspec.structs.replace(booking, parts=tuple(parts)))

    Positions.book = whole  # type: ignore[method-assign]


@bug
def a_booking_is_not_found_again_after_a_restart() -> None:
    init = Bookkeeper.__init__

    def forget(self: Bookkeeper, *args: object, **others: object) -> None:
        init(self, *args, **others)  # type: ignore[arg-type]
        self._waiting = []

    Bookkeeper.__init__ = forget  # type: ignore[method-assign]
