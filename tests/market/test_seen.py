"""Each print counts once, whatever the order in which prints come, and what is known of them is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Trade
from engine.market.normaliser import normaliser as passing
from engine.market.normaliser.normaliser import Normaliser
from engine.market.normaliser.seen import AGE, MOST, Seen

prints = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("VD"), st.integers(1, 6)))


@given(prints)
def test_a_print_is_known_by_its_id_exchange_and_time(tape: list[tuple[int, str, int]]) -> None:
    seen, known = Seen(), set[tuple[int, str, int]]()
    for one in tape:
        assert seen.add(*one) is (one not in known)
        known.add(one)


@given(prints, st.integers(1, 9))
def test_the_normaliser_lets_each_through_once_however_the_prints_are_batched(
    tape: list[tuple[int, str, int]], size: int
) -> None:
    normaliser = Normaliser()
    trades = [Trade("SPY", 100.0, 1.0, NANOSECONDS + at, exchange, (), number) for number, exchange, at in tape]
    passed = [
        trade for first in range(0, len(trades), size) for trade in normaliser.trades(trades[first : first + size])
    ]
    assert passed == list(dict.fromkeys(trades))


def test_prints_without_an_id_are_never_taken_for_one_another() -> None:
    seen = Seen()
    assert [seen.add(0, "V", at) for at in (2, 2, 1, 3, 3)] == [True] * 5


def test_the_newest_prints_are_known_however_many_came_and_the_old_ones_forgotten() -> None:
    seen = Seen()
    for number in range(1, 3 * MOST):
        seen.add(number, "V", number)
        seen.add(number, "D", 1)
        if number % MOST == 0:
            seen.forget_old()
    seen.forget_old()
    assert len(seen.times) <= MOST
    assert not seen.add(3 * MOST - 1, "V", 3 * MOST - 1)
    assert not seen.add(3 * MOST - 1, "D", 1)
    assert seen.add(3 * MOST, "V", 3 * MOST + AGE)
    seen.forget_old()
    assert seen.times == [3 * MOST + AGE], "the others are too old"


def test_a_busy_tape_makes_the_normaliser_forget() -> None:
    normaliser = Normaliser()
    for second in range(0, 4_000, 10):
        at = (1_700_000_000 + second) * NANOSECONDS
        normaliser.trades([Trade("SPY", 100.0, 1.0, at + n, "V", (), second * 100 + n + 1) for n in range(100)])
    known = normaliser._symbols["SPY"].seen
    assert known.newest - known.times[0] <= 2 * AGE
    assert len(known.times) < passing.FORGET_EVERY + MOST
