"""When the stock market is open: round the clock, in regular New York hours, by a recording, or by the real calendar."""

from __future__ import annotations

import warnings
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import msgspec

from engine.domain.market import NANOSECONDS

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
_OPEN, _CLOSE = time(9, 30), time(16)


class SessionDay(msgspec.Struct, frozen=True):
    """One trading day; `opens` and `closes` are New York wall times."""

    day: date
    opens: time
    closes: time


class Sessions(Protocol):
    def is_open(self, now: int) -> bool: ...

    def next_open(self, now: int) -> int:
        """The first opening after `now`."""
        ...

    def next_close(self, now: int) -> int:
        """The first close after `now`; for a market that never closes, the end of its day."""
        ...

    def days(self, start: date, end: date) -> list[SessionDay]: ...


def new_york(now: int) -> datetime:
    return datetime.fromtimestamp(now // NANOSECONDS, NEW_YORK)


def at_new_york(day: date, clock: time) -> int:
    """Nanoseconds UTC of a New York wall time."""
    return int(datetime.combine(day, clock, NEW_YORK).timestamp()) * NANOSECONDS


@lru_cache(maxsize=4096)
def _midnight_of_hour(hour: int) -> int:
    return at_new_york(new_york(hour * 3600 * NANOSECONDS).date(), time())


def midnight(now: int) -> int:
    """The start of the New York day that `now` is in, nanoseconds UTC."""
    return _midnight_of_hour(now // (3600 * NANOSECONDS))


def _span(start: date, end: date) -> list[date]:
    return [start + timedelta(days=index) for index in range(max((end - start).days + 1, 0))]


class AlwaysOpen:
    """The demo: a market that never closes. Its day ends at midnight in New York."""

    def is_open(self, now: int) -> bool:
        return True

    def next_open(self, now: int) -> int:
        return at_new_york(new_york(now).date() + DAY, time())

    def next_close(self, now: int) -> int:
        return self.next_open(now)

    def days(self, start: date, end: date) -> list[SessionDay]:
        return [SessionDay(day, time(0), time(23, 59)) for day in _span(start, end)]


class RegularHours:
    """Half past nine to four, Monday to Friday; holidays are not known. After `end` the market stays closed."""

    def __init__(self, end: int | None = None) -> None:
        self._end = end

    def ends(self) -> int | None:
        """The time after which the market stays closed, or None."""
        return self._end

    def is_open(self, now: int) -> bool:
        local = new_york(now)
        end = self.ends()
        recorded = end is None or now < end
        return recorded and local.weekday() < 5 and _OPEN <= local.time() < _CLOSE

    def next_open(self, now: int) -> int:
        return self._next(now, _OPEN)

    def next_close(self, now: int) -> int:
        end = self.ends()
        if end is not None and now < end and self.is_open(now):
            return min(end, self._next(now, _CLOSE))
        return self._next(now, _CLOSE)

    def days(self, start: date, end: date) -> list[SessionDay]:
        return [SessionDay(day, _OPEN, _CLOSE) for day in _span(start, end) if day.weekday() < 5]

    def _next(self, now: int, clock: time) -> int:
        day = new_york(now).date()
        while (moment := at_new_york(day, clock)) <= now or day.weekday() >= 5:
            day += DAY
        return moment


class Recording(Protocol):
    end: int | None


class RecordedHours(RegularHours):
    """Regular hours until the recording ends, on whichever day it is played."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def ends(self) -> int | None:
        return self._recording.end


class RealCalendar:
    """The New York Stock Exchange's own calendar."""

    def __init__(self) -> None:
        # Imported here because it brings pandas, which no other part of the exchange needs.
        import exchange_calendars

        with warnings.catch_warnings():
            # exchange_calendars 4 uses what pandas 3.1 deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._calendar: ExchangeCalendar = exchange_calendars.get_calendar("XNYS")

    def is_open(self, now: int) -> bool:
        return any(at_new_york(d.day, d.opens) <= now < at_new_york(d.day, d.closes) for d in self._near(now, 0))

    def next_open(self, now: int) -> int:
        return min(at for d in self._near(now, 14) if (at := at_new_york(d.day, d.opens)) > now)

    def next_close(self, now: int) -> int:
        return min(at for d in self._near(now, 14) if (at := at_new_york(d.day, d.closes)) > now)

    def days(self, start: date, end: date) -> list[SessionDay]:
        first, last = self._calendar.first_session.date(), self._calendar.last_session.date()
        if start > last or end < first or end < start:
            return []
        schedule = self._calendar.schedule.loc[str(max(start, first)) : str(min(end, last))]
        return [
            SessionDay(day.date(), opens.tz_convert(NEW_YORK).time(), closes.tz_convert(NEW_YORK).time())
            for day, opens, closes in zip(schedule.index, schedule["open"], schedule["close"], strict=True)
        ]

    def _near(self, now: int, ahead: int) -> list[SessionDay]:
        return _near_days(self, new_york(now).date(), ahead)


@lru_cache(maxsize=64)
def _near_days(calendar: RealCalendar, day: date, ahead: int) -> list[SessionDay]:
    return calendar.days(day, day + timedelta(days=ahead))
