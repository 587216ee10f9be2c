"""The parts of a trading day, and when they turn: extended hours around the session, auctions at its ends."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from engine.domain.market import NANOSECONDS, is_crypto
from engine.domain.orders import TimeInForce
from engine.exchange.orders import AUCTIONS, NewOrder
from engine.exchange.refusals import unprocessable
from engine.exchange.sessions import AlwaysOpen, Sessions, at_new_york, new_york

MINUTE = 60 * NANOSECONDS
HOUR = 60 * MINUTE
BEFORE_OPEN, AFTER_CLOSE = 11 * HOUR // 2, 4 * HOUR
"""Extended hours: 04:00 to 09:30 and 16:00 to 20:00 New York; on a half day the evening moves with the close."""
OPEN_GRACE, CLOSE_GRACE = 5 * MINUTE, 10 * MINUTE
"""How long auction orders wait for the auction's print before they take the last price instead."""
OPENING_CUTOFF, CLOSING_CUTOFF, ACCEPTED_AGAIN = 2 * MINUTE, 10 * MINUTE, 3 * HOUR
"""Auction orders are taken until 09:28 and 15:50, and again from 19:00 for the next day."""
_LOOK_AHEAD = timedelta(days=10)


class Phase(StrEnum):
    CLOSED = "closed"
    EXTENDED = "extended"
    REGULAR = "regular"


class Turn(StrEnum):
    """What happens at a boundary of the day."""

    PRE_OPEN = "pre_open"
    OPEN = "open"
    OPENED = "opened"
    """Opening auctions that have not printed are over."""
    CLOSE = "close"
    CLOSED = "closed"
    """Closing auctions that have not printed are over."""
    POST_CLOSE = "post_close"


def may_trade(order: NewOrder, phase: Phase) -> bool:
    """Whether the continuous market is open to the order; auction orders are for their auction alone."""
    if order.time_in_force in AUCTIONS:
        return False
    if phase is Phase.REGULAR or is_crypto(order.symbol):
        return True
    return phase is Phase.EXTENDED and order.extended_hours


def was_last_chance(order: NewOrder, ended: Phase, begins: Phase) -> bool:
    """Whether a DAY order that may not trade now cannot any more. Before the session it can still wait for it."""
    if order.time_in_force is not TimeInForce.DAY:
        return False
    return begins is Phase.CLOSED if order.extended_hours else ended is Phase.REGULAR


class Agenda:
    """The boundaries of the days to come. Where the market never pauses there is only its midnight, a CLOSE."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.is_continuous = isinstance(sessions, AlwaysOpen)

    def phase(self, now: int) -> Phase:
        if self._sessions.is_open(now):
            return Phase.REGULAR
        return Phase.EXTENDED if any(start <= now < end for start, end in self._extended(now)) else Phase.CLOSED

    def next(self, now: int, phase: Phase) -> tuple[int, Turn]:
        """The first boundary after `now`. `phase` is the one that the market is in, as the turns so far have left it."""
        sessions = self._sessions
        if self.is_continuous:
            return sessions.next_close(now), Turn.CLOSE
        session = (
            (sessions.next_close(now), Turn.CLOSE) if phase is Phase.REGULAR else (sessions.next_open(now), Turn.OPEN)
        )
        return min([session, *self._around(now)])

    def check_window(self, time_in_force: TimeInForce, now: int) -> None:
        """Raises Refusal for an auction order outside the hours in which the venue takes it."""
        if self.is_continuous:
            return
        cutoff, words = (
            (OPENING_CUTOFF, "opg orders must be submitted after 7:00pm and before 9:28am")
            if time_in_force is TimeInForce.OPG
            else (CLOSING_CUTOFF, "cls orders must be submitted after 7:00pm and before 3:50pm")
        )
        for opens, closes in self._days(now, timedelta(0)):
            begins = opens if time_in_force is TimeInForce.OPG else closes
            if begins - cutoff <= now < closes + ACCEPTED_AGAIN:
                raise unprocessable(words)

    def _around(self, now: int) -> list[tuple[int, Turn]]:
        found: list[tuple[int, Turn]] = []
        for opens, closes in self._days(now, _LOOK_AHEAD):
            found += [
                (opens - BEFORE_OPEN, Turn.PRE_OPEN),
                (opens + OPEN_GRACE, Turn.OPENED),
                (closes + CLOSE_GRACE, Turn.CLOSED),
                (closes + AFTER_CLOSE, Turn.POST_CLOSE),
            ]
        return [(at, turn) for at, turn in found if at > now]

    def _extended(self, now: int) -> list[tuple[int, int]]:
        return [(opens - BEFORE_OPEN, closes + AFTER_CLOSE) for opens, closes in self._days(now, timedelta(0))]

    def _days(self, now: int, ahead: timedelta) -> list[tuple[int, int]]:
        """When the sessions of today and the days up to `ahead` open and close."""
        today = new_york(now).date()
        days = self._sessions.days(today, today + ahead)
        return [(at_new_york(d.day, d.opens), at_new_york(d.day, d.closes)) for d in days]
