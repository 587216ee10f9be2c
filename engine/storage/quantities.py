"""What the order journal itself says is held, read from its rows beside the engine; each read takes only what is new."""

from __future__ import annotations

import contextlib
import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.domain.orders import Fill
from engine.domain.portfolio import Booking

_FILLS = "SELECT rowid, body FROM fills WHERE rowid > ? ORDER BY rowid"
_FACTS = "SELECT rowid, body FROM facts WHERE rowid > ? AND key >= ? AND key < ? ORDER BY rowid"


class JournalQuantities:
    """Signed units by symbol, of all sleeves but one. `read` is not for the event loop."""

    def __init__(self, path: Path, but: str, bookings: str) -> None:
        """`but` names the sleeve that is left out, `bookings` begins the keys of facts that are bookings."""
        self._path = path
        self._but = but
        self._bookings = bookings
        self._held: dict[str, Decimal] = {}
        self._last_fill = self._last_fact = 0

    def read(self) -> dict[str, Decimal]:
        """Raises DataError when the journal cannot be read."""
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
                self._read(database)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise DataError(
                f"The order journal {self._path} cannot be read: {error}.", "It is read again in a minute."
            ) from error
        return {symbol: quantity for symbol, quantity in self._held.items() if quantity}

    def _read(self, database: sqlite3.Connection) -> None:
        for number, body in database.execute(_FILLS, (self._last_fill,)):
            fill = msgspec.json.decode(body, type=Fill)
            self._add(fill.symbol, fill.sleeve, fill.quantity * fill.side.sign)
            self._last_fill = number
        span = (self._last_fact, self._bookings, self._bookings + "\uffff")
        for number, body in database.execute(_FACTS, span):
            booking = msgspec.json.decode(body, type=Booking)
            for part in booking.parts:
                self._add(booking.symbol, part.sleeve, part.quantity)
            self._last_fact = number

    def _add(self, symbol: str, sleeve: str, signed: Decimal) -> None:
        if sleeve != self._but and signed:
            self._held[symbol] = self._held.get(symbol, Decimal(0)) + signed
