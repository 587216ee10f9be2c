"""The mid prices of a simulation: correlated geometric Brownian motion with stochastic volatility and rare jumps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.domain.market import NANOSECONDS
from engine.exchange.assets import Profile
from engine.exchange.prices.base import Floats
from engine.exchange.prices.history import SESSION_SECONDS

LIVELINESS = 1.6
"""The live tape's volatility as a multiple of the real one, so that a chart moves while someone looks at it."""
SUBSTEPS = 8
"""Mid prices in a second."""
JUMP = 0.05
"""Standard deviation of a jump as a share of the yearly volatility: 0.75 % for SPY, 2.75 % for TSLA."""
_VOLATILITY_PULL, _VOLATILITY_NOISE = 1 / 900, 0.012
_HOME_PULL = 1 / 14_400
_DAY = 86_400


class Paths:
    """Advances a second at a time. The mids follow from the seed alone, whatever is printed around them.

    `first` are the prices at `start`: until then the paths are bridges that lead there, and nothing jumps.
    """

    def __init__(
        self, profiles: Sequence[Profile], first: Sequence[float], seed: int, start: int, jumps_per_day: float
    ) -> None:
        count = len(profiles)
        self._start = start
        self._random = np.random.default_rng((seed, 0))
        self._jump_random = np.random.default_rng((seed, 1, 0))
        self._chance = jumps_per_day / _DAY
        self._home = np.log([known.level for known in profiles])
        self._first = np.log(first)
        self._log_price = self._first
        self._log_volatility = np.zeros(count)
        volatility = np.array([known.volatility for known in profiles])
        self._sigma = LIVELINESS * volatility / np.sqrt(SESSION_SECONDS)
        self._jump = JUMP * volatility
        self._common = np.array([known.correlation for known in profiles])
        self._own = np.sqrt(1 - self._common**2)

    def second(self, at: int, levels: Floats) -> Floats:
        """The mids of the second that begins at `at`, shape (SUBSTEPS, symbols). `levels` scale the volatility."""
        count = len(self._home)
        noise = self._random.standard_normal((SUBSTEPS + 1, count))
        market = self._random.standard_normal((SUBSTEPS, 1))
        sigma = self._sigma * levels * np.exp(self._log_volatility) / np.sqrt(SUBSTEPS)
        steps = sigma * (self._common * market + self._own * noise[:-1])
        if self._chance and at >= self._start:
            steps[SUBSTEPS // 2] += self._jumps(count)
        path = self._log_price + np.cumsum(steps, axis=0)
        self._log_price = path[-1] + _HOME_PULL * (self._home - path[-1])
        self._log_price += self._bridge(at)
        self._log_volatility += _VOLATILITY_NOISE * noise[-1] - _VOLATILITY_PULL * self._log_volatility
        mids: Floats = np.exp(path)
        return mids

    def _jumps(self, count: int) -> Floats:
        """Merton's: at a constant chance each second, of normal size; zero for most."""
        struck = self._jump_random.random(count) < self._chance
        if not struck.any():
            return np.zeros(count)
        sizes: Floats = struck * self._jump * self._jump_random.standard_normal(count)
        return sizes

    def _bridge(self, at: int) -> Floats:
        """Until the doors open the path is a Brownian bridge: it opens at the price that an earlier run ended with."""
        seconds = (self._start - at) // NANOSECONDS
        if seconds < 0:
            return np.zeros(len(self._log_price))
        return (self._first - self._log_price) / (seconds + 1)
