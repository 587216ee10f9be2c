"""How many feed workers a rate of messages needs: now, and at the peak that is to be expected; pure arithmetic.

A worker's CPU is taken to be a fixed part and a part for each message. n workers that share a rate r are enough while

    fixed + per_message * r / n  <=  target,    so    n = ceil(per_message * r / (target - fixed)).

What workers share unevenly the planner does not see: the autoscaler looks at the busiest besides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from engine.domain.errors import ConfigurationError

LEAST_SPREAD = 0.1
"""Standard deviation of the rates, as a share of their mean, from which on two unknowns can be told apart."""
LEAST_FIT = 0.5
"""Share of the CPU's variance (r squared) that the rate must explain for that."""


class Cost(msgspec.Struct, frozen=True):
    """Of one worker. `fixed` is a share of a core, `per_message` seconds of CPU."""

    fixed: float
    per_message: float
    is_bound: bool
    """The two could not be told apart, so the whole CPU counts as the messages': they cost this at most."""


class Forecast(msgspec.Struct, frozen=True):
    """The highest rate to be expected within the hour (messages/s), and in words how it was found."""

    rate: float
    basis: str
    is_measured: bool
    """Earlier sessions had it; else it is a guess, upon which nothing is started."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How many workers may run, and the share of a core that each may fill."""

    least: int
    most: int
    target: float

    def __post_init__(self) -> None:
        if not (1 <= self.least <= self.most and 0 < self.target <= 1):
            raise ConfigurationError(
                f"{self.least} to {self.most} workers filled to {self.target:g} cannot be planned.",
                "Choose at least one worker, and a share above 0 and up to 1.",
            )


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`now` and `peak` lie within the bounds; `wanted_now` and `wanted_peak` are what the load itself asks for."""

    now: int
    peak: int
    wanted_now: int
    wanted_peak: int
    rate: float
    """Messages/s of all workers."""
    cost: Cost
    forecast: Forecast
    reason: str

    @property
    def ahead(self) -> int:
        """Workers to have: those of now, and of the peak where it is more than a guess."""
        return self.peak if self.forecast.is_measured else self.now


def cost_of(samples: Sequence[tuple[float, float]]) -> Cost | None:
    """From the rate (messages/s) and CPU (share of a core) of single workers, by least squares; None without messages."""
    count = len(samples)
    mean_rate = math.fsum(rate for rate, _ in samples) / count if count else 0.0
    if mean_rate <= 0:
        return None
    mean_cpu = math.fsum(cpu for _, cpu in samples) / count
    spread = math.fsum((rate - mean_rate) ** 2 for rate, _ in samples) / count
    scatter = math.fsum((cpu - mean_cpu) ** 2 for _, cpu in samples) / count
    together = math.fsum((rate - mean_rate) * (cpu - mean_cpu) for rate, cpu in samples) / count
    told_apart = math.sqrt(spread) >= LEAST_SPREAD * mean_rate and together > 0
    if not told_apart or together * together < LEAST_FIT * spread * scatter:
        return Cost(0.0, mean_cpu / mean_rate, True)
    per_message = min(together / spread, mean_cpu / mean_rate)
    return Cost(max(mean_cpu - per_message * mean_rate, 0.0), per_message, False)


def needed(rate: float, cost: Cost, target: float) -> int:
    """The fewest workers that carry the rate; never less with a higher one."""
    room = target - cost.fixed
    if rate <= 0 or cost.per_message <= 0:
        return 1
    # One that its fixed part fills can carry nothing: no number is enough.
    return max(math.ceil(min(cost.per_message * rate / room, 1e6)), 1) if room > 0 else 1_000_000


def plan_for(rate: float, cost: Cost, lag: float, workers: int, forecast: Forecast, bounds: Bounds) -> Plan:
    """`lag` is how far the worst worker is behind, as a share of what it may be; `workers` run now.

    Workers that fall behind are too few, whatever their CPU says: one more than there are.
    """
    by_cpu = needed(rate, cost, bounds.target)
    wanted = max(by_cpu, workers + 1) if lag > bounds.target else by_cpu
    peak = max(needed(max(rate, forecast.rate), cost, bounds.target), wanted)
    found = Plan(
        now=_within(wanted, bounds),
        peak=_within(peak, bounds),
        wanted_now=wanted,
        wanted_peak=peak,
        rate=rate,
        cost=cost,
        forecast=forecast,
        reason="",
    )
    return msgspec.structs.replace(found, reason=_in_words(found, lag, bounds))


def _within(count: int, bounds: Bounds) -> int:
    return min(max(count, bounds.least), bounds.most)


def _in_words(plan: Plan, lag: float, bounds: Bounds) -> str:
    cost = plan.cost
    price = f"{'at most ' if cost.is_bound else ''}{_seconds(cost.per_message)} of CPU each"
    fixed = f" beside {cost.fixed:.0%} that a worker always uses" if cost.fixed >= 0.005 else ""
    words = f"{plan.rate:,.0f} messages/s, {price}{fixed}, workers filled to {bounds.target:.0%}"
    words += f" and {lag:.0%} of the lag they may have: " if lag > bounds.target else ": "
    words += _count(plan.wanted_now, plan.now)
    later = _count(plan.wanted_peak, plan.peak)
    return f"{words} needed now. At the peak of {plan.forecast.rate:,.0f}/s, {plan.forecast.basis}: {later}."


def _count(wanted: int, given: int) -> str:
    if wanted > given:
        return f"{wanted if wanted < 1_000_000 else 'more than any number'} ([scaling] most allows {given})"
    return f"{wanted}" if wanted == given else f"{wanted} ([scaling] least keeps {given})"


def _seconds(value: float) -> str:
    return f"{value * 1e6:.0f} µs" if value < 0.001 else f"{value * 1e3:,.1f} ms"
