"""The capacity planner at work: gathers what the feeds use and what earlier days had, and plans once a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from engine.clock import Clock
from engine.config.settings import Settings
from engine.market.capacity import Bounds, Forecast, Plan, cost_of, plan_for
from engine.market.forecast import forecast, same_time_earlier
from engine.orchestrator.schedule import Schedule
from engine.processes.autoscaler import ScalingLimits, WorkerLoad
from engine.storage.market.address import MarketAddress
from engine.storage.market.rates import highest_rates
from engine.views import CapacityView, Views

SAMPLES = 600
"""Of single workers, one a second: what a message costs changes slowly."""
SETTLED_AFTER = 20.0
"""Seconds of life from which on a worker's CPU counts."""
SMOOTHED = 10
"""Seconds over which the present rate is averaged."""
LOOK_EVERY = 60.0
READ_EVERY = 600.0
"""Seconds after which the same half hour of earlier days is read again."""


class CapacityDesk:
    def __init__(
        self, settings: Settings, limits: ScalingLimits, database: MarketAddress, views: Views, clock: Clock
    ) -> None:
        self._limits = limits
        self._factor = settings.scaling.peak_factor
        # The tape of a replay has hours of its own: what the clock says of earlier days does not hold.
        self._database = None if settings.exchange.replay is not None else database
        self._views = views
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)
        self._rates: deque[float] = deque(maxlen=SMOOTHED)
        self._earlier: list[float] = []
        self._slot = 0
        self._read_at = float("-inf")
        self._highest = 0.0

    def join(self, schedule: Schedule) -> None:
        schedule.every(LOOK_EVERY, "capacity forecast", self.read, at_once=False)

    async def read(self) -> None:
        """What earlier days had at this time. Raises UnavailableError; what was known counts until the next half hour."""
        spans, now = same_time_earlier(self._clock.now()), self._clock.monotonic()
        if self._database is None or (spans[0].start == self._slot and now - self._read_at < READ_EVERY):
            return
        if spans[0].start != self._slot:
            self._earlier = []
        self._slot = spans[0].start
        self._earlier = await highest_rates(self._database, spans)
        self._read_at = now

    def plan(self, loads: Sequence[WorkerLoad], rates: Mapping[str, float], symbols: int) -> Plan | None:
        """`rates` are messages/s by worker; a worker carries one symbol at least. None until messages were measured."""
        self._samples.extend(
            (rates[load.name], load.cpu) for load in loads if rates.get(load.name) and self._settled(load)
        )
        self._rates.append(sum(rates.values()))
        cost = cost_of(self._samples)
        if cost is None or not loads:
            return None
        rate, worst = sum(self._rates) / len(self._rates), max(load.lag for load in loads)
        if len(self._rates) == SMOOTHED:
            self._highest = max(self._highest, rate)
        bounds = Bounds(
            least=self._limits.least,
            most=max(min(self._limits.most, symbols), self._limits.least),
            target=self._limits.up_above,
        )
        plan = plan_for(rate, cost, worst, len(loads), self._forecast(rate), bounds)
        self._show(plan, worst, len(loads))
        return plan

    def _settled(self, load: WorkerLoad) -> bool:
        """A start, and the past that is read then, cost more than what comes after."""
        row = self._views.processes.get(load.name)
        return row is not None and bool(row.started_at) and self._clock.monotonic() - row.started_at > SETTLED_AFTER

    def _forecast(self, rate: float) -> Forecast:
        return forecast(self._earlier, self._clock.now(), max(self._highest, rate), self._factor)

    def _show(self, plan: Plan, lag: float, workers: int) -> None:
        self._views.capacity = CapacityView(
            workers=workers, now=plan.now, peak=plan.peak, wanted_now=plan.wanted_now, wanted_peak=plan.wanted_peak,
            rate=plan.rate, cpu_per_message=plan.cost.per_message, fixed_cpu=plan.cost.fixed, lag=lag,
            peak_rate=plan.forecast.rate, is_guess=not plan.forecast.is_measured, reason=plan.reason,
        )  # fmt: skip
