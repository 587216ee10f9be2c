"""The rate of messages to be expected within the hour: the highest of the same time on earlier days, else a guess."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.domain.market import NANOSECONDS
from engine.domain.spans import Span
from engine.market.capacity import Forecast

MARKET_ZONE = ZoneInfo("America/New_York")
HALF_HOUR = timedelta(minutes=30)
DAYS = 20
"""Earlier days that are looked at: four weeks of sessions."""


def same_time_earlier(now: int, days: int = DAYS) -> list[Span]:
    """The half hour of `now` (int nanoseconds UTC) and the next, on each of the days before, by the market's clock."""
    start = _slot(now)
    return [_span(start - timedelta(days=back)) for back in range(1, days + 1)]


def forecast(highest: Iterable[float], now: int, seen: float, factor: float) -> Forecast:
    """From the highest rates of earlier days at this time; without any, `factor` times the highest that was `seen`."""
    found = [rate for rate in highest if rate > 0]
    if not found:
        return Forecast(
            seen * factor, f"a guess: no earlier day is recorded, so {factor:g} times the highest so far", False
        )
    start = _slot(now)
    end = start + 2 * HALF_HOUR
    days = f"on {len(found)} earlier days" if len(found) > 1 else "on the one earlier day"
    return Forecast(
        max(found), f"the highest from {start:%H:%M} to {end:%H:%M} in New York {days} that is recorded", True
    )


def _slot(now: int) -> datetime:
    local = datetime.fromtimestamp(now // NANOSECONDS, UTC).astimezone(MARKET_ZONE)
    return local.replace(minute=local.minute // 30 * 30, second=0, microsecond=0)


def _span(start: datetime) -> Span:
    end = start + 2 * HALF_HOUR
    return Span(round(start.timestamp()) * NANOSECONDS, round(end.timestamp()) * NANOSECONDS)
