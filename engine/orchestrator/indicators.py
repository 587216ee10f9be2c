"""The engine's memory of indicator values, from what the feed says on the hub."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from engine.domain.market import IndicatorValues, Timeframe

KEPT = 1_000
"""Per symbol and timeframe."""


class IndicatorMemory:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, Timeframe], OrderedDict[int, IndicatorValues]] = {}

    def take(self, timeframe: Timeframe, values: Iterable[IndicatorValues]) -> None:
        """New ones, and those of revised bars, which replace what was."""
        for one in values:
            kept = self._kept.setdefault((one.symbol, timeframe), OrderedDict())
            newest = next(reversed(kept), one.timestamp)
            kept[one.timestamp] = one
            if one.timestamp < newest:
                kept = self._kept[one.symbol, timeframe] = OrderedDict(sorted(kept.items()))
            if len(kept) > KEPT:
                kept.popitem(last=False)

    def of(self, symbol: str, timeframe: Timeframe, after: int) -> list[IndicatorValues]:
        """Those of bars that start at or after `after`, oldest first."""
        kept = self._kept.get((symbol, timeframe), OrderedDict())
        return [values for at, values in kept.items() if at >= after]

    def forget(self, symbol: str) -> None:
        for key in [key for key in self._kept if key[0] == symbol]:
            del self._kept[key]
