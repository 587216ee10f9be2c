"""Portfolio history: an account's equity in equal steps, and the profit it stands for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from engine.domain.market import NANOSECONDS
from engine.exchange.activities import Entry
from engine.exchange.sessions import Sessions, midnight, new_york

STEPS = {"1min": ("1Min", 60), "5min": ("5Min", 300), "15min": ("15Min", 900), "1h": ("1H", 3600), "1d": ("1D", 86_400)}
_EARLY, _LATE = time(4), time(20)

Samples = list[tuple[int, Decimal]]
"""Time in nanoseconds UTC and equity, oldest first."""


class Hours(StrEnum):
    MARKET = "market_hours"
    EXTENDED = "extended_hours"
    CONTINUOUS = "continuous"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`resets_daily` measures the profit of an intraday point from the close of the day before it."""

    start: int
    end: int
    timeframe: str
    hours: Hours = Hours.MARKET
    resets_daily: bool = True
    cashflow: frozenset[str] = frozenset()
    """Kinds of activities whose amounts are to be shown."""


def portfolio_history(
    asked: Request,
    samples: Samples,
    closes: Samples,
    base: tuple[int, Decimal] | None,
    start_cash: Decimal,
    sessions: Sessions,
    entries: Iterable[Entry] = (),
) -> dict[str, Any]:
    """Alpaca's answer. `base` is the last close before the start and `closes` are those after it, `entries` the
    activities that are not fills; an account without a
    close before is measured from the money it began with.
    """
    shown, step = STEPS[asked.timeframe]
    daily = step == STEPS["1d"][1]
    kept = samples if daily else [s for s in samples if _is_reported(s[0], asked.hours, sessions)]
    start_of = midnight if daily else lambda at: at - at % (step * NANOSECONDS)
    points = _steps(kept, start_of)
    first = start_cash if base is None else base[1]
    basis = _per_day(first, closes) if asked.resets_daily and not daily else lambda _: first
    profits = [(equity - basis(at), basis(at)) for at, equity in points.items()]
    answer: dict[str, Any] = {
        "timestamp": [at // NANOSECONDS for at in points],
        "equity": [float(equity) for equity in points.values()],
        "profit_loss": [float(profit) for profit, _ in profits],
        "profit_loss_pct": [float(profit / of) if of else 0.0 for profit, of in profits],
        "base_value": float(first),
        "timeframe": shown,
        "cashflow": _cashflow(asked.cashflow, entries, list(points), start_of),
    }
    return answer if base is None else answer | {"base_value_asof": str(new_york(base[0] - 1).date())}


def _steps(samples: Samples, start_of: Callable[[int], int]) -> dict[int, Decimal]:
    """The last sample of every step, by the step's start; the instant a step ends belongs to it."""
    return {start_of(at - 1): equity for at, equity in samples}


def _cashflow(
    kinds: Iterable[str], entries: Iterable[Entry], points: list[int], start_of: Callable[[int], int]
) -> dict[str, list[float]]:
    """What each kind of entry brought in the steps that are shown; one in a step that is not, in the next that is,
    or in the last."""
    sums = {kind: [0.0] * len(points) for kind in sorted(kinds)}
    for entry in entries:
        index = min(bisect_left(points, start_of(entry.timestamp - 1)), len(points) - 1)
        if entry.kind in sums and points:
            sums[entry.kind][index] += float(entry.amount)
    return sums


def _per_day(first: Decimal, closes: Samples) -> Callable[[int], Decimal]:
    """The close before the day of a point."""
    times = [at for at, _ in closes]
    values = [first, *(equity for _, equity in closes)]
    return lambda at: values[bisect_right(times, at)]


def _is_reported(at: int, hours: Hours, sessions: Sessions) -> bool:
    if hours is Hours.CONTINUOUS or sessions.is_open(at - 1):
        return True
    local = new_york(at)
    return hours is Hours.EXTENDED and local.weekday() < 5 and _EARLY <= local.time() < _LATE
