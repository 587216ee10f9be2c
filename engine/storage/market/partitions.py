"""Partitions by time on plain PostgreSQL: named after the day or month they begin, made before rows need them, dropped whole.

Bounds are UTC. A partition's name tells its bounds, so what is too old is found without looking inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec

DAY = 86_400_000_000_000
DAILY = frozenset({"stream_messages", "normalized_data"})
"""The others have fewer rows and take a month each."""
AHEAD = 2
"""Partitions made before their time: at midnight nobody waits for one."""
_NAME = re.compile(r"(?P<table>[a-z_]+)_p(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)")


class Partition(msgspec.Struct, frozen=True, order=True):
    """Holds start <= timestamp < end, int nanoseconds UTC."""

    table: str
    start: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.table}_p{_day(self.start):%Y%m%d}"

    @property
    def create(self) -> str:
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} PARTITION OF {self.table}"
            f" FOR VALUES FROM ({self.start}) TO ({self.end})"
        )


def partition_of(table: str, timestamp: int) -> Partition:
    """The one that holds a row of this time."""
    day = _day(timestamp)
    if table in DAILY:
        return Partition(table, _start(day), _start(day + timedelta(days=1)))
    first = day.replace(day=1)
    return Partition(table, _start(first), _start((first + timedelta(days=32)).replace(day=1)))


def needed(table: str, timestamps: Iterable[int]) -> set[Partition]:
    """Those that hold rows of these times, which may be many rows of few days."""
    days = {timestamp // DAY for timestamp in timestamps}
    return {partition_of(table, day * DAY) for day in days}


def ahead(table: str, now: int) -> list[Partition]:
    """The one of now and the next ones."""
    found = [partition_of(table, now)]
    for _ in range(AHEAD):
        found.append(partition_of(table, found[-1].end))
    return found


def expired(names: Iterable[str], days: int, now: int) -> list[str]:
    """Of the partitions' names those whose last row is older than `days`; what is not named by us is never chosen."""
    before = now - days * DAY
    return [name for name in names if (found := named(name)) is not None and found.end <= before]


def named(name: str) -> Partition | None:
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        return None
    return partition_of(found["table"], _start(day))


def _day(timestamp: int) -> date:
    return datetime.fromtimestamp(timestamp // 1_000_000_000, UTC).date()


def _start(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000_000
