"""Buy and hold: the yardstick that any strategy has to beat."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np

from engine.strategies.base import Bars, Targets


class BuyHoldParameters(msgspec.Struct, frozen=True, kw_only=True):
    weight: Annotated[float, msgspec.Meta(ge=0, le=1, description="share of the capital")] = 1.0


class BuyHold:
    name: ClassVar[str] = "buy-hold"
    title: ClassVar[str] = "Buy and hold"
    Parameters: ClassVar[type[msgspec.Struct]] = BuyHoldParameters

    def __init__(self, parameters: BuyHoldParameters) -> None:
        self._parameters = parameters

    @property
    def warmup(self) -> int:
        return 1

    def targets(self, bars: Bars) -> Targets:
        return Targets(np.full(len(bars), self._parameters.weight), np.ones(len(bars)))
