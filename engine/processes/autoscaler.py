"""When a group of like workers needs one more, or one less: a pure decision, a sample at a time.

Up when the busiest worker was above 80 % of what it can do for three samples, or the capacity plan asked for more as
often; down when all of them together would leave the rest under 30 % for ten and the plan can spare one. A pause after
each change lets its effect be seen before the next. A person's choice holds until it is taken back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from engine.domain.errors import ConfigurationError
from engine.market.capacity import Plan

HISTORY = 500
"""Decisions kept."""


class ScalingLimits(msgspec.Struct, frozen=True, kw_only=True):
    least: int = 1
    most: int = 10
    up_above: float = 0.8
    up_samples: int = 3
    down_below: float = 0.3
    down_samples: int = 10
    cool_down: float = 30.0
    """Seconds between two changes."""

    def check(self) -> None:
        """Raises ConfigurationError for limits that contradict each other."""
        if not 1 <= self.least <= self.most <= 10:
            raise ConfigurationError(
                f"{self.least} to {self.most} workers cannot be kept.", "Choose from 1 to 10, the least first."
            )
        if not 0 < self.down_below < self.up_above <= 1:
            raise ConfigurationError(
                f"Scaling up above {self.up_above:g} and down below {self.down_below:g} contradict each other.",
                "Both are shares of one worker's capacity; the lower must be well under the upper.",
            )


class WorkerLoad(msgspec.Struct, frozen=True):
    """What one worker does, as shares of what it can: of a core, and of the lag that it may have."""

    name: str
    cpu: float
    lag: float

    @property
    def share(self) -> float:
        return max(self.cpu, self.lag)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the number of workers, with what it was based on."""

    at: int
    """Int nanoseconds UTC."""
    before: int
    after: int
    reason: str
    loads: tuple[WorkerLoad, ...] = ()
    by_hand: bool = False


class Autoscaler:
    """`now` is monotonic seconds. It only decides; whoever asks carries it out, and tells the workers there are then."""

    def __init__(self, limits: ScalingLimits) -> None:
        """Raises ConfigurationError."""
        limits.check()
        self.limits = limits
        self.decisions: deque[Decision] = deque(maxlen=HISTORY)
        self.chosen: int | None = None
        """How many a person wants; None while it decides by itself."""
        self._above = self._below = self._ahead = 0
        self._changed = float("-inf")

    def choose(self, count: int | None) -> None:
        """A person's wish, or None to decide by itself again. Raises ConfigurationError outside of the limits."""
        if count is not None and not self.limits.least <= count <= self.limits.most:
            raise ConfigurationError(
                f"{count} workers are outside of the limits.", f"Choose {self.limits.least} to {self.limits.most}."
            )
        self.chosen = count
        self._above = self._below = self._ahead = 0

    def decide(self, loads: Sequence[WorkerLoad], now: float, at: int, plan: Plan | None = None) -> Decision | None:
        """The change that this sample brings about, or None. `loads` has one entry for each worker that runs; without a
        `plan` only they count.
        """
        count = len(loads)
        if not count:
            return None
        if self.chosen is not None:
            return self._by_hand(loads, now, at) if count != self.chosen else None
        if count < self.limits.least:
            return self._change(loads, self.limits.least, f"at least {self.limits.least} always run", now, at)
        self._count(loads, plan)
        if now - self._changed < self.limits.cool_down:
            return None
        if self._above >= self.limits.up_samples and count < self.limits.most:
            busiest = max(loads, key=lambda load: load.share)
            why = f"{busiest.name} was above {self.limits.up_above:.0%} {self._above} times"
            return self._change(loads, count + 1, why, now, at)
        if plan is not None and self._ahead >= self.limits.up_samples and count < self.limits.most:
            return self._change(loads, count + 1, f"planned ahead: {plan.reason}", now, at)
        if self._below >= self.limits.down_samples and count > self.limits.least:
            why = f"{count - 1} would have been below {self.limits.down_below:.0%} {self._below} times"
            return self._change(loads, count - 1, why, now, at)
        return None

    def _count(self, loads: Sequence[WorkerLoad], plan: Plan | None) -> None:
        limits, count = self.limits, len(loads)
        self._above = self._above + 1 if max(load.share for load in loads) > limits.up_above else 0
        # What one less would have to carry: a worker is not removed only to be missed at once.
        rest = sum(load.share for load in loads) / max(count - 1, 1)
        spare = plan is None or count > plan.ahead
        self._below = self._below + 1 if rest < limits.down_below and spare else 0
        self._ahead = self._ahead + 1 if plan is not None and plan.ahead > count else 0

    def _by_hand(self, loads: Sequence[WorkerLoad], now: float, at: int) -> Decision:
        assert self.chosen is not None
        return self._change(loads, self.chosen, "chosen by a person", now, at, by_hand=True)

    def _change(
        self, loads: Sequence[WorkerLoad], after: int, reason: str, now: float, at: int, *, by_hand: bool = False
    ) -> Decision:
        self._above = self._below = self._ahead = 0
        self._changed = now
        decision = Decision(at=at, before=len(loads), after=after, reason=reason, loads=tuple(loads), by_hand=by_hand)
        self.decisions.append(decision)
        return decision
