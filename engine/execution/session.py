"""Whether the venue trades now, in regular or in extended hours, from what its clock says."""

from __future__ import annotations

from datetime import UTC, datetime, time

from engine.broker.base import MarketClock
from engine.domain.market import NANOSECONDS

EXTENDED_FROM, EXTENDED_UNTIL = time(4), time(20)
"""New York time, as Alpaca trades before the open and after the close."""


class Session:
    """None = not known."""

    def __init__(self) -> None:
        self.market_open: bool | None = None
        self.extended_open: bool | None = None
        self._last_open_day = ""

    def take(self, said: MarketClock) -> None:
        self.market_open = said.is_open
        now = _new_york(said.timestamp)
        day = now.date().isoformat()
        if said.is_open:
            self._last_open_day = day
        opens = _new_york(said.next_open)
        # After the close, the venue's clock does not tell a trading day from a holiday; that it was open today does.
        trading_day = day in {opens.date().isoformat(), self._last_open_day}
        self.extended_open = not said.is_open and trading_day and EXTENDED_FROM <= now.time() < EXTENDED_UNTIL


def _new_york(timestamp: int) -> datetime:
    from zoneinfo import ZoneInfo

    return datetime.fromtimestamp(timestamp // NANOSECONDS, UTC).astimezone(ZoneInfo("America/New_York"))
