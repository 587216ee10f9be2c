"""What the engine remembers of indicators: the newest of each bar, bounded, in order."""

from __future__ import annotations

from engine.domain.market import IndicatorValues, Timeframe
from engine.orchestrator.indicators import KEPT, IndicatorMemory

M1 = Timeframe.MINUTE_1


def value(at: int, sma: float = 1.0, symbol: str = "SPY") -> IndicatorValues:
    return IndicatorValues(symbol, at, sma, *[0.0] * 10)


def test_values_are_kept_in_order_replaced_when_revised_and_forgotten_with_their_symbol() -> None:
    memory = IndicatorMemory()
    memory.take(M1, [value(3), value(1), value(2), value(2, 5.0, "IBM")])
    memory.take(M1, [value(1, 9.0)])
    assert [(one.timestamp, one.sma) for one in memory.of("SPY", M1, 0)] == [(1, 9.0), (2, 1.0), (3, 1.0)]
    assert [one.timestamp for one in memory.of("SPY", M1, 2)] == [2, 3]
    assert memory.of("SPY", Timeframe.HOUR_1, 0) == []
    memory.forget("SPY")
    assert (memory.of("SPY", M1, 0), len(memory.of("IBM", M1, 0))) == ([], 1)


def test_the_oldest_leave_first() -> None:
    memory = IndicatorMemory()
    memory.take(M1, [value(at) for at in range(KEPT + 5)])
    assert [memory.of("SPY", M1, 0)[0].timestamp, len(memory.of("SPY", M1, 0))] == [5, KEPT]
