"""When candles are built: which times belong to a session, and when a day begins.

Regular and extended hours come from a calendar of sessions, so that holidays and half days are known; it is read once
(from the venue, or from exchange_calendars) and then looked up. Extended hours are four to twenty o'clock in New York.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

from engine.domain.market import NANOSECONDS

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3_600 * NANOSECONDS
DAY = 24 * HOUR
WEEK = timedelta(days=7)
"""Read around the days that are asked for, because one day alone is no span to the calendar."""
PRE_MARKET, AFTER_HOURS = time(4), time(20)

Span = tuple[int, int]
"""From, to (not included): int nanoseconds UTC."""


class Choice(StrEnum):
    """Which prints make candles of stocks."""

    ALL = "all"
    EXTENDED = "extended"
    REGULAR = "regular"


class Hours(Protocol):
    def includes(self, at: int) -> bool:
        """Whether a print of that time counts."""
        ...

    def sessions(self, start: int, end: int) -> list[Span]:
        """The parts of `start` to `end` in which prints may be expected."""
        ...

    def day_start(self, at: int) -> int: ...


class RoundTheClock:
    """Crypto; days begin at midnight UTC."""

    def includes(self, at: int) -> bool:
        return True

    def sessions(self, start: int, end: int) -> list[Span]:
        return [(start, end)] if start < end else []

    def day_start(self, at: int) -> int:
        return at // DAY * DAY


class NewYorkDays(RoundTheClock):
    """Every print counts, as on a venue that never closes; days begin at midnight in New York."""

    def day_start(self, at: int) -> int:
        return midnight(at)


class SessionHours(NewYorkDays):
    """Only what lies in the sessions, which are given in order and do not overlap."""

    def __init__(self, sessions: Iterable[Span]) -> None:
        self._sessions = sorted(sessions)
        self._starts = [start for start, _ in self._sessions]

    def includes(self, at: int) -> bool:
        index = bisect_right(self._starts, at) - 1
        return index >= 0 and at < self._sessions[index][1]

    def sessions(self, start: int, end: int) -> list[Span]:
        return [(max(a, start), min(b, end)) for a, b in self._sessions if a < end and b > start]


def extended(sessions: Iterable[Span]) -> list[Span]:
    """Of the same days, from before the market to after hours."""
    return [(at_new_york(day, PRE_MARKET), max(at_new_york(day, AFTER_HOURS), end)) for day, end in _days(sessions)]


def calendar_hours(first: date, last: date, choice: Choice) -> Hours:
    """By the calendar of the New York Stock Exchange; brings pandas, so call it only where that may be."""
    if choice is Choice.ALL:
        return NewYorkDays()
    import warnings

    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars 4 uses what pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar("XNYS", start=str(first - WEEK), end=str(last + WEEK))
    spans = [(int(row.open.value), int(row.close.value)) for row in calendar.schedule.itertuples()]
    return SessionHours(extended(spans) if choice is Choice.EXTENDED else spans)


def midnight(at: int) -> int:
    """The start of the New York day that holds `at`."""
    return _midnight_of_hour(at // HOUR)


def at_new_york(day: date, clock: time) -> int:
    return int(datetime.combine(day, clock, NEW_YORK).timestamp()) * NANOSECONDS


def _days(sessions: Iterable[Span]) -> Iterable[tuple[date, int]]:
    return ((datetime.fromtimestamp(start // NANOSECONDS, NEW_YORK).date(), end) for start, end in sessions)


@lru_cache(maxsize=4_096)
def _midnight_of_hour(hour: int) -> int:
    return at_new_york(datetime.fromtimestamp(hour * 3_600, NEW_YORK).date(), time())
