"""When the day of a symbol begins: average prices of the day start anew there."""

from __future__ import annotations

from datetime import datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from engine.domain.market import NANOSECONDS, is_crypto

NEW_YORK = ZoneInfo("America/New_York")
HOUR, DAY = 3_600 * NANOSECONDS, 86_400 * NANOSECONDS


def day_start(symbol: str, at: int) -> int:
    """New York's midnight for stocks, UTC's for crypto; int nanoseconds UTC."""
    return at // DAY * DAY if is_crypto(symbol) else _midnight(at // HOUR)


@lru_cache(maxsize=4_096)
def _midnight(hour: int) -> int:
    day = datetime.fromtimestamp(hour * 3_600, NEW_YORK).date()
    return int(datetime.combine(day, time(), NEW_YORK).timestamp()) * NANOSECONDS
