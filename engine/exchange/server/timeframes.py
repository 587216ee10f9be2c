"""Bar lengths as the data routes name them, such as 5Min, 1Hour, 1Day, 1Week, 3Month, and bars joined to them."""

from __future__ import annotations

import re

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS
from engine.exchange.prices.base import BarColumns, Integers, aggregate
from engine.exchange.refusals import malformed
from engine.exchange.sessions import at_new_york, midnight, new_york

_PATTERN = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {
    "Min": "min",
    "T": "min",
    "Hour": "hour",
    "H": "hour",
    "Day": "day",
    "D": "day",
    "Week": "week",
    "W": "week",
    "Month": "month",
    "M": "month",
}
_COUNTS = {"min": range(1, 60), "hour": range(1, 24), "day": (1,), "week": (1,), "month": (1, 2, 3, 4, 6, 12)}
_SECONDS = {"min": 60, "hour": 3600}


class BarLength(msgspec.Struct, frozen=True):
    count: int
    unit: str

    @property
    def is_intraday(self) -> bool:
        return self.unit in _SECONDS

    def start_of(self, at: int) -> int:
        """The start of the bar that `at` is in. Bars of a day and less count from midnight in New York."""
        if self.is_intraday:
            step = self.count * _SECONDS[self.unit] * NANOSECONDS
            zero = midnight(at)
            return zero + (at - zero) // step * step
        local = new_york(at)
        day = local.date()
        if self.unit == "week":
            day = day.fromordinal(day.toordinal() - day.weekday())
        elif self.unit == "month":
            day = day.replace(month=(day.month - 1) // self.count * self.count + 1, day=1)
        return at_new_york(day, local.min.time())

    def join(self, bars: BarColumns) -> BarColumns:
        """Minute or daily bars joined to this length."""
        if self == BarLength(1, "min") or self.unit == "day" or not len(bars):
            return bars
        return aggregate(bars, self._keys(bars.timestamp))

    def _keys(self, timestamps: Integers) -> Integers:
        if (self.unit == "min" and 60 % self.count == 0) or (self.unit == "hour" and self.count == 1):
            step = self.count * _SECONDS[self.unit] * NANOSECONDS
            return timestamps // step * step
        return np.array([self.start_of(at) for at in timestamps.tolist()], np.int64)


def parse_timeframe(text: str) -> BarLength:
    """Raises Refusal for a length that the venue does not serve."""
    found = _PATTERN.fullmatch(text)
    if found is not None:
        length = BarLength(int(found[1]), _UNITS[found[2]])
        if length.count in _COUNTS[length.unit]:
            return length
    raise malformed(f"invalid timeframe: {text[:20]!r}")
