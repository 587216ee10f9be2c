"""When a feed owes candles: prints of which none becomes one are a fault, a quiet market is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.market.owed import FIRST_RUN, UNUSUAL, Owed

ENOUGH = FIRST_RUN * UNUSUAL


def test_prints_that_come_on_and_on_without_a_candle_owe_one() -> None:
    owed = Owed()
    assert [owed.by_prints(prints, 0, caught_up=True) for prints in (ENOUGH, ENOUGH + 1)] == [False, True]
    assert not owed.by_prints(ENOUGH + 2, 1, caught_up=True), "until one comes"


@given(st.lists(st.booleans(), min_size=1, max_size=600))
def test_a_market_without_prints_owes_nothing_however_long_it_is_quiet(closes: list[bool]) -> None:
    owed, candles = Owed(), 0
    for closed in closes:
        candles += closed
        assert not owed.by_prints(7, candles, caught_up=True)


def test_what_waits_for_missed_prints_owes_nothing_and_counts_from_then_on() -> None:
    owed = Owed()
    assert not owed.by_prints(100_000, 0, caught_up=False)
    assert not owed.by_prints(100_000 + ENOUGH, 0, caught_up=True)
    assert owed.by_prints(100_001 + ENOUGH, 0, caught_up=True)


def test_a_symbol_of_many_prints_that_set_no_price_teaches_how_long_its_runs_are() -> None:
    owed = Owed()
    assert not owed.by_prints(400, 1, caught_up=True)
    assert not owed.by_prints(400 + 2 * 400, 1, caught_up=True)
    assert owed.by_prints(401 + 2 * 400, 1, caught_up=True)
