"""How time is cut into files: short bars by day, bars of an hour and longer by year; whole months after compaction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec

from engine.domain.market import NANOSECONDS, Timeframe

DAYS = {Timeframe.SECOND_1, Timeframe.MINUTE_1, Timeframe.MINUTE_5, Timeframe.MINUTE_15}
_NAME = re.compile(r"^(?P<timeframe>\w+)/(?P<symbol>[A-Z0-9.-]+)/(?P<label>\d{4}(-\d{2}){0,2})\.parquet$")


class Period(msgspec.Struct, frozen=True, order=True):
    """A UTC day, month or year of one symbol's bars; `label` is 2013-10-07, 2013-10 or 2013."""

    timeframe: Timeframe
    symbol: str
    label: str

    @property
    def name(self) -> str:
        """Its file. A pair's slash becomes a dash, which no symbol has."""
        return f"{self.timeframe.value}/{self.symbol.replace('/', '-')}/{self.label}.parquet"

    @property
    def start(self) -> int:
        return _nanoseconds(_first_day(self.label))

    @property
    def end(self) -> int:
        """Exclusive."""
        first = _first_day(self.label)
        if len(self.label) == len("2013-10-07"):
            return _nanoseconds(first + timedelta(days=1))
        if len(self.label) == len("2013-10"):
            return _nanoseconds((first + timedelta(days=31)).replace(day=1))
        return _nanoseconds(first.replace(year=first.year + 1))

    @property
    def month(self) -> Period | None:
        """The month that a day's file is compacted into; None for what is long already."""
        return Period(self.timeframe, self.symbol, self.label[:7]) if len(self.label) == len("2013-10-07") else None


def period_of(name: str) -> Period | None:
    """None for a file that is not one of the lake's."""
    found = _NAME.match(name)
    if found is None:
        return None
    try:
        period = Period(Timeframe(found["timeframe"]), found["symbol"].replace("-", "/"), found["label"])
        period.start  # noqa: B018  a label such as 2013-13 is no date
    except ValueError:
        return None
    return period


def periods(symbol: str, timeframe: Timeframe, start: int, end: int) -> Iterator[Period]:
    """Those that bars of [start, end) are written to, oldest first."""
    by_day = timeframe in DAYS
    while start < end:
        moment = datetime.fromtimestamp(start // NANOSECONDS, UTC)
        period = Period(timeframe, symbol, f"{moment:%Y-%m-%d}" if by_day else f"{moment:%Y}")
        yield period
        start = period.end


def _first_day(label: str) -> date:
    return date.fromisoformat(label + "-01-01"[len(label) - 4 :] if len(label) < 10 else label)


def _nanoseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NANOSECONDS
