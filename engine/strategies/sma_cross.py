"""Moving-average crossover: long while the fast mean of closes is above the slow one."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from engine.domain.errors import ConfigurationError
from engine.market.indicators.series import simple_mean
from engine.strategies.base import Bars, Targets

FULL_CONFIDENCE = 0.002
"""Distance between the means, as a share of price, that counts as certain."""


class SmaCrossParameters(msgspec.Struct, frozen=True, kw_only=True):
    fast: Annotated[int, msgspec.Meta(ge=1, le=1_000, description="bars in the fast mean")] = 20
    slow: Annotated[int, msgspec.Meta(ge=2, le=5_000, description="bars in the slow mean")] = 60
    band_bps: Annotated[
        float, msgspec.Meta(ge=0, le=1_000, description="basis points the fast mean must be beyond")
    ] = 0.0


class SmaCross:
    name: ClassVar[str] = "sma-cross"
    title: ClassVar[str] = "SMA crossover"
    Parameters: ClassVar[type[msgspec.Struct]] = SmaCrossParameters

    def __init__(self, parameters: SmaCrossParameters) -> None:
        if parameters.fast >= parameters.slow:
            raise ConfigurationError(
                f"sma-cross: fast ({parameters.fast}) must be below slow ({parameters.slow}).", "Change one of them."
            )
        self._parameters = parameters

    @property
    def warmup(self) -> int:
        return self._parameters.slow

    def targets(self, bars: Bars) -> Targets:
        fast = simple_mean(bars.close, self._parameters.fast)
        slow = simple_mean(bars.close, self._parameters.slow)
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = (fast - slow) / slow
        distance = np.where(np.isfinite(distance), distance, 0.0)
        weight = np.where(distance > self._parameters.band_bps / 10_000, 1.0, 0.0)
        weight = np.where(distance < -self._parameters.band_bps / 10_000, -1.0, weight)
        return Targets(weight, np.minimum(np.abs(distance) / FULL_CONFIDENCE, 1.0))
