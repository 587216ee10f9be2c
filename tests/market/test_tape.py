"""Each print counts once, whatever the order in which prints come; a wrong one is found; what is kept is bounded."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Trade
from engine.market import tape as tapes
from engine.market.batch import Batch, Correction
from engine.market.hours import NewYorkDays
from engine.market.normaliser import normaliser as passing
from engine.market.normaliser.normaliser import Normaliser
from engine.market.normaliser.rejections import Reason
from engine.market.processor import Processor
from engine.market.tape import AGE, MOST, Tape

NOON = 1_700_000_000 * NANOSECONDS
prints = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("VD"), st.integers(1, 6)))


def trade(number: int, at: int, exchange: str = "V", price: float = 100.0) -> Trade:
    return Trade("SPY", price, 1.0, NOON + at, exchange, (), number)


def once(trades: Iterable[Trade]) -> list[Trade]:
    """Without those told again; one without an id is never the same as another."""
    found: list[Trade] = []
    for one in trades:
        if not one.trade_id or one not in found:
            found.append(one)
    return found


@given(prints, st.integers(1, 9))
def test_a_print_is_known_by_its_id_exchange_and_time_however_prints_are_batched(
    told: list[tuple[int, str, int]], size: int
) -> None:
    trades = [trade(number, at, exchange) for number, exchange, at in told]
    parts = [trades[first : first + size] for first in range(0, len(trades), size)]
    normaliser, processor = Normaliser(), Processor(lambda bars: None)
    processor.watch("SPY", NewYorkDays())
    passed = [one for part in parts for one in normaliser.trades(part)]
    assert passed == once(trades)
    for part in parts:
        processor.take(Batch(trades=part))
    assert processor.normaliser.rejections.counts[Reason.DUPLICATE] == len(trades) - len(passed)
    kept = processor.normaliser.symbols["SPY"].tape.between(NOON, NOON + NANOSECONDS)
    assert sorted((one.number, one.time) for one in kept) == sorted((one.trade_id, one.timestamp) for one in passed)


def test_the_newest_prints_are_known_however_many_came_and_the_old_ones_forgotten() -> None:
    tape = Tape()
    for number in range(1, 3 * MOST):
        tape.put(trade(number, number))
        tape.put_late(trade(number, 1, "D"))
        if number % MOST == 0:
            tape.forget_old()
    tape.forget_old()
    assert len(tape.times) <= MOST
    assert {len(column) for column in (tape.prices, tape.sizes, tape.numbers, tape.exchanges, tape.kinds)} == {
        len(tape.times)
    }
    assert tape.knows(trade(3 * MOST - 1, 3 * MOST - 1))
    assert tape.knows(trade(3 * MOST - 1, 1, "D"))
    tape.put(trade(3 * MOST, 3 * MOST + AGE))
    tape.forget_old()
    assert list(tape.times) == [NOON + 3 * MOST + AGE], "the others are too old"
    assert not tape.knows(trade(3 * MOST - 1, 1, "D"))


def test_a_busy_tape_makes_the_normaliser_forget() -> None:
    normaliser = Normaliser()
    for second in range(0, 4_000, 10):
        normaliser.trades([trade(second * 100 + n + 1, second * NANOSECONDS + n) for n in range(100)])
    known = normaliser.symbols["SPY"].tape
    assert known.times[-1] - known.times[0] <= 2 * AGE
    assert len(known.times) < passing.FORGET_EVERY + MOST


@pytest.mark.parametrize("late", [False, True])
def test_a_print_that_was_taken_back_or_put_right_stays_known(late: bool) -> None:
    tape = Tape()
    for number in (1, 2, 3):
        (tape.put_late if late else tape.put)(trade(number, number))
    assert tape.correct(Correction("SPY", "V", 2, 100.0, 1.0, 0)) == NOON + 2
    assert tape.correct(Correction("SPY", "V", 3, 100.0, 1.0, 0, trade(8, 0, price=101.0))) == NOON + 3
    assert tape.correct(Correction("SPY", "V", 3, 100.0, 1.0, 0)) == -1, "it is no print any more"
    counted = [one for one in tape.between(NOON, NOON + 10) if one.kind.effect]
    assert [(one.number, one.price) for one in counted] == [(1, 100.0), (8, 101.0)]
    assert all(tape.knows(trade(number, number)) for number in (1, 2, 3))
    assert tape.knows(trade(8, 3))


def test_a_second_of_which_prints_were_forgotten_is_not_built_again_from_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its candle would lose what is not there any more."""
    monkeypatch.setattr(tapes, "MOST", 10)
    processor = Processor(lambda bars: None)
    processor.watch("SPY", NewYorkDays())
    processor.take(Batch(trades=[trade(number, number * NANOSECONDS // 10) for number in range(1, 31)]))
    tape = processor.normaliser.symbols["SPY"].tape
    tape.forget_old()
    seconds = processor.candles["SPY"].seconds
    assert len(tape.times) == 15
    assert not seconds.correct(Correction("SPY", "V", 17, 100.0, 1.0, 0)), "the first prints of this second are gone"
    assert seconds.bars[NOON + NANOSECONDS].volume == 10.0
    assert seconds.correct(Correction("SPY", "V", 25, 100.0, 1.0, 0))
    assert seconds.bars[NOON + 2 * NANOSECONDS].volume == 9.0


def test_ids_of_any_length_are_taken() -> None:
    processor = Processor(lambda bars: None)
    processor.watch("SPY", NewYorkDays())
    for _ in range(2):
        processor.take(Batch(trades=[trade(1 << 63, 1), trade((1 << 64) - 1, 2), trade(-(1 << 70), 3)]))
    assert processor.normaliser.rejections.counts[Reason.DUPLICATE] == 3
    assert processor.candles["SPY"].seconds.bars[NOON].volume == 3.0
