"""Mean reversion: buy what has fallen too fast, by RSI, and sell it when it has recovered."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from engine.domain.errors import ConfigurationError
from engine.market.indicators.series import relative_strength
from engine.strategies.base import Bars, Targets
from engine.strategies.switch import held_between


class RsiReversionParameters(msgspec.Struct, frozen=True, kw_only=True):
    length: Annotated[int, msgspec.Meta(ge=2, le=1_000, description="changes in the RSI")] = 14
    enter: Annotated[float, msgspec.Meta(ge=1, le=99, description="buy below this RSI")] = 30.0
    leave: Annotated[float, msgspec.Meta(ge=1, le=99, description="sell above this RSI")] = 55.0
    memory: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="most bars to hold")] = 240


class RsiReversion:
    name: ClassVar[str] = "rsi-reversion"
    title: ClassVar[str] = "RSI mean reversion"
    Parameters: ClassVar[type[msgspec.Struct]] = RsiReversionParameters

    def __init__(self, parameters: RsiReversionParameters) -> None:
        if parameters.enter >= parameters.leave:
            raise ConfigurationError(
                f"rsi-reversion: enter ({parameters.enter:g}) must be below leave ({parameters.leave:g}).",
                "Change one of them.",
            )
        self._parameters = parameters

    @property
    def warmup(self) -> int:
        """Beyond `memory` bars a position cannot reach back, so with this many a live window equals the whole history."""
        return self._parameters.length + 1 + self._parameters.memory

    def targets(self, bars: Bars) -> Targets:
        rsi = relative_strength(bars.close, self._parameters.length)
        low = rsi < self._parameters.enter  # NaN compares false
        held = held_between(low, rsi > self._parameters.leave)
        # A position is given up when no entry was signalled within `memory` bars.
        rows = np.arange(len(bars))
        last_entry = np.maximum.accumulate(np.where(low, rows, -1)) if len(bars) else rows
        held &= (last_entry >= 0) & (rows - last_entry < self._parameters.memory)
        depth = (self._parameters.leave - np.where(np.isnan(rsi), self._parameters.leave, rsi)) / self._parameters.leave
        return Targets(np.where(held, 1.0, 0.0), np.where(held, np.clip(depth, 0.0, 1.0), 0.0))
