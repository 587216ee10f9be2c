"""Bookings that are no fills, each taken once, divided among the sleeves, journalled as a fact, and found again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.broker.base import VenueBooking
from engine.clock import Clock, IdFactory
from engine.domain.errors import OrderError
from engine.domain.orders import Fill
from engine.domain.portfolio import Booking, BookingPart, Position
from engine.execution.book import OrderBook
from engine.portfolio.bookings import TRANSFER, parts_of, transfer_parts
from engine.portfolio.positions import EXTERNAL_SLEEVE, Positions
from engine.portfolio.state import PortfolioState, Proof, objection
from engine.storage.journal import Journal
from engine.storage.trail import Fact

PREFIX = "booking/"
AGAIN = 1.0
"""Seconds after which what the disk refused is tried again."""
SINCE_FACT = "bookings_since"


class Bookkeeper:
    """`positions` are changed by it, and by fills that pass through `count`."""

    def __init__(
        self,
        journal: Journal,
        facts: dict[str, str],
        positions: Positions,
        book: OrderBook,
        clock: Clock,
        ids: IdFactory,
    ) -> None:
        self.fills = 0
        """How many were counted."""
        self.newest = 0
        """Venue time of the newest booking; int nanoseconds UTC."""
        self._seen = int(facts.get(SINCE_FACT, "0"))
        """When the account was first seen; int nanoseconds UTC, 0 = not yet."""
        self._first_fill = 0
        """Its time at the venue; 0 = we have not traded yet."""
        self._proof = Proof()
        self._external_known = False
        self._journal = journal
        self._positions = positions
        self._book = book
        self._clock = clock
        self._ids = ids
        found = (msgspec.json.decode(body, type=Booking) for key, body in facts.items() if key.startswith(PREFIX))
        self._waiting = sorted(found, key=lambda booking: (booking.after_fills, booking.timestamp))
        self._known = {booking.booking_id for booking in self._waiting}

    def replay(self, fills: Sequence[Fill], state: PortfolioState | None = None) -> str:
        """Fills and bookings of lives before this one, in the sequence in which they were taken.

        With a `state` that belongs to them, only what came after it. Returns why it does not, where it does not.
        """
        wrong = ""
        self._first_fill = min((fill.timestamp for fill in fills), default=0)
        if state is not None and not (wrong := objection(state, fills, self._known, self._positions.basis)):
            self._begin_with(state, fills)
        for fill in fills[self.fills :]:
            self._book_waiting(self.fills)
            self.count(fill)
        self._book_waiting(None)
        return wrong

    def count(self, fill: Fill) -> None:
        self._first_fill = min(self._first_fill or fill.timestamp, fill.timestamp)
        self._positions.apply(fill)
        self._proof.add([fill])
        self.fills += 1

    def state(self) -> PortfolioState:
        """As it is now; to be encoded before anything else happens."""
        waiting = {booking.booking_id for booking in self._waiting}
        return PortfolioState(
            basis=self._positions.basis,
            fills=self.fills,
            proof=self._proof.value,
            bookings=[known for known in self._known if known not in waiting],
            positions=[held for held in self._positions if held != Position(symbol=held.symbol, sleeve=held.sleeve)],
            unassigned=self._positions.unassigned,
        )

    def _begin_with(self, state: PortfolioState, fills: Sequence[Fill]) -> None:
        for position in state.positions:
            self._positions.put(position)
        self._positions.unassigned = state.unassigned
        self._proof.add(fills[: state.fills])
        self.fills = state.fills
        done = set(state.bookings)
        self.newest = max((one.timestamp for one in self._waiting if one.booking_id in done), default=0)
        self._waiting = [booking for booking in self._waiting if booking.booking_id not in done]
        self._external_known = True

    def begin(self, now: int) -> None:
        """The account is seen for the first time."""
        self._seen = now
        self._write(Fact(SINCE_FACT, str(now)))

    @property
    def since(self) -> int:
        """Bookings before this time are part of what the account was when we first saw it; 0 = not seen yet.

        Never later than the first fill that we count, whenever we hear of it: what was divided or joined after it were
        shares that we know.
        """
        return min(self._seen, self._first_fill or self._seen)

    def take(self, said: VenueBooking) -> Booking | None:
        """None for one that we have, or that is older than our knowledge of the account."""
        if said.activity_id in self._known or said.timestamp < self.since:
            return None
        order = self._book.by_venue_id(said.venue_order_id) if said.venue_order_id else None
        held = self._positions.of(said.symbol)
        sleeve = order.sleeve if order is not None else ""
        symbol = order.symbol if order is not None else said.symbol
        booking = Booking(
            booking_id=said.activity_id,
            kind=said.kind,
            symbol=symbol,
            timestamp=said.timestamp,
            parts=parts_of(said, sleeve, held, EXTERNAL_SLEEVE),
            after_fills=self.fills,
        )
        # Not waited for: the venue tells it again after a crash.
        self._write(_fact(booking))
        self._apply(booking)
        self.newest = max(self.newest, said.timestamp)
        return booking

    def _write(self, fact: Fact) -> None:
        """Some time later; what the disk refuses is tried again while the journal is open."""

        def written(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is not None and not self._journal.is_closed:
                asyncio.get_running_loop().call_later(AGAIN, self._write, fact)

        self._journal.append_soon(fact).add_done_callback(written)

    async def transfer(self, symbol: str, sleeve: str) -> Decimal:
        """Give what the external sleeve holds in `symbol` to `sleeve`; the signed quantity that it was given.

        Durable on return. Raises OrderError when there is nothing to give or it cannot be written down.
        """
        booking = self._transfer(symbol, sleeve)
        self._apply(booking)
        try:
            await self._journal.append(_fact(booking))
        except OrderError:
            self._apply(_reversed(booking))
            raise
        return booking.parts[1].quantity

    def _transfer(self, symbol: str, sleeve: str) -> Booking:
        if sleeve == EXTERNAL_SLEEVE:
            raise OrderError("These shares are in the external sleeve already.", "Choose another sleeve.")
        parts = transfer_parts(self._positions.get(symbol, EXTERNAL_SLEEVE), self._positions.get(symbol, sleeve))
        if not parts:
            raise OrderError(f"The external sleeve has no {symbol} to give.", "Refresh the list of positions.")
        return Booking(
            booking_id=f"transfer-{self._ids.ulid()}",
            kind=TRANSFER,
            symbol=symbol,
            timestamp=self._clock.now(),
            parts=parts,
            after_fills=self.fills,
        )

    def move(self, fills: Sequence[Fill], sleeve: str) -> list[Fact]:
        """Take these out of the sleeves they were booked to and into `sleeve`, each at its price, as if it had been booked
        there. The facts are to be written in one commit with what shows that they belong there.
        """
        found = [self._moved(fill, sleeve) for fill in fills]
        for booking in found:
            self._apply(booking)
        return [_fact(booking) for booking in found]

    def _moved(self, fill: Fill, sleeve: str) -> Booking:
        signed = fill.quantity * fill.side.sign
        return Booking(
            booking_id=f"moved-{fill.execution_id}",
            kind=TRANSFER,
            symbol=fill.symbol,
            timestamp=self._clock.now(),
            parts=(
                BookingPart(sleeve=fill.sleeve, quantity=-signed, price=fill.price),
                BookingPart(sleeve=sleeve, quantity=signed, price=fill.price),
            ),
            after_fills=self.fills,
        )

    def _book_waiting(self, until: int | None) -> None:
        while self._waiting and (until is None or self._waiting[0].after_fills <= until):
            booking = self._waiting.pop(0)
            if booking.kind == TRANSFER and not self._external_known:
                # What is outside is not journalled, but for fills (moved at their price): the venue tells it again,
                # less what was given away.
                parts = tuple(part for part in booking.parts if part.sleeve != EXTERNAL_SLEEVE or part.price)
                booking = msgspec.structs.replace(booking, parts=parts)
            self._positions.book(booking)
            if booking.kind != TRANSFER:
                self.newest = max(self.newest, booking.timestamp)

    def _apply(self, booking: Booking) -> None:
        self._known.add(booking.booking_id)
        self._positions.book(booking)


def _fact(booking: Booking) -> Fact:
    return Fact(PREFIX + booking.booking_id, msgspec.json.encode(booking).decode())


def _reversed(booking: Booking) -> Booking:
    parts = tuple(msgspec.structs.replace(part, quantity=-part.quantity) for part in booking.parts)
    return msgspec.structs.replace(booking, parts=parts)
