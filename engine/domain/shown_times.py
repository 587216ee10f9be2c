"""The zone in which people read times: New York's, where the exchanges are, unless they choose another.

One choice for the process, as one person reads it. Files and databases hold UTC whatever it is.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


class Times(StrEnum):
    EXCHANGE = "exchange"
    MACHINE = "machine"
    UTC = "utc"


_zone: tzinfo | None = NEW_YORK


def show_times(times: Times) -> None:
    global _zone
    # None is the machine's zone, whose rules Python asks the system for.
    _zone = {Times.EXCHANGE: NEW_YORK, Times.UTC: UTC}.get(times)


def shown(seconds: float) -> datetime:
    """Of seconds since 1970 UTC. Raises ValueError, OverflowError or OSError for what no calendar has."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(_zone)


def clock(timestamp: int) -> str:
    """The time of day of int nanoseconds UTC."""
    return f"{shown(timestamp / 1e9):%H:%M:%S}"


def zone_name(timestamp: int) -> str:
    """ET as traders say, summer or winter; else as the zone calls itself at that time."""
    return "ET" if _zone is NEW_YORK else shown(timestamp / 1e9).tzname() or ""
