"""The engine's memory of indicator values, from what the feed says on the hub."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.market import IndicatorValues, Timeframe
from engine.orchestrator.timeline import Timeline

KEPT = 1_000
"""Per symbol and timeframe."""


class IndicatorMemory:
    def __init__(self) -> None:
        self._kept: dict[tuple[str, Timeframe], Timeline[IndicatorValues]] = {}

    def take(self, timeframe: Timeframe, values: Iterable[IndicatorValues]) -> None:
        """New ones, and those of revised bars, which replace what was."""
        for one in values:
            self._kept.setdefault((one.symbol, timeframe), Timeline(KEPT)).put(one.timestamp, one)

    def of(self, symbol: str, timeframe: Timeframe, after: int) -> list[IndicatorValues]:
        """Those of bars that start at or after `after`, oldest first."""
        kept = self._kept.get((symbol, timeframe))
        return kept.since(after) if kept is not None else []

    def forget(self, symbol: str) -> None:
        for key in [key for key in self._kept if key[0] == symbol]:
            del self._kept[key]
