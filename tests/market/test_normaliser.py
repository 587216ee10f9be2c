"""What is let through, what is refused, and that every message is accounted for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.market.normaliser import conditions
from engine.market.normaliser.conditions import ALL, HIGH_LOW, LAST, VOLUME, kind_of, kinds_of, updates
from engine.market.normaliser.normaliser import END_OF_TIME, LEAP, OLDEST, Normaliser
from engine.market.normaliser.rejections import Reason

NOON = 1_700_000_000 * NANOSECONDS


def trade(number: int = 1, at: int = NOON, price: float = 100.0, size: float = 1.0, **more: Any) -> Trade:
    return Trade("SPY", price, size, at, "V", more.get("conditions", ()), number)


def quote(bid: float = 99.9, ask: float = 100.1, at: int = NOON) -> Quote:
    return Quote("SPY", bid, 1.0, ask, 1.0, at)


def refused(normaliser: Normaliser) -> dict[Reason, int]:
    return {reason: count for reason, count in normaliser.rejections.counts.items() if count}


def test_numbers_that_cannot_be_are_refused_and_kept_to_be_looked_at() -> None:
    normaliser = Normaliser()
    absurd = [trade(price=p) for p in (math.nan, math.inf, 0.0, -1.0)] + [trade(size=s) for s in (math.nan, -1.0)]
    assert list(normaliser.trades([*absurd, trade()])) == [trade()]
    assert refused(normaliser) == {Reason.ABSURD: 6}
    assert len(normaliser.rejections.newest(Reason.ABSURD)) == 6


@pytest.mark.parametrize("known", [1, 200], ids=["before the scale is known", "on a scale wider than the price"])
def test_numbers_that_cannot_be_are_refused_among_good_ones_too(known: int) -> None:
    normaliser = Normaliser()
    good = [trade(number, NOON + number, 1.0 if number % 2 else 100.0) for number in range(1, known + 1)]
    assert list(normaliser.trades(good))
    absurd = [trade(1_000 + n, NOON + 1_000 + n, p) for n, p in enumerate((math.nan, math.inf, 0.0, -1.0))]
    assert list(normaliser.trades(absurd)) == []
    assert refused(normaliser)[Reason.ABSURD] == 4


def test_a_crossed_quote_is_refused_and_a_locked_or_one_sided_one_is_not() -> None:
    normaliser = Normaliser()
    good = [quote(100, 100), quote(0, 100.1), quote(99.9, 0)]
    assert list(normaliser.quotes([quote(100.2, 100.1), *good])) == good
    assert refused(normaliser) == {Reason.CROSSED: 1}


def test_a_print_is_counted_once_though_it_comes_again_later() -> None:
    normaliser = Normaliser()
    assert normaliser.trades([trade(1), trade(2)])
    assert list(normaliser.trades([trade(2), trade(1), trade(3)])) == [trade(3)]
    assert list(normaliser.trades([trade(1, at=NOON + 86_400 * NANOSECONDS)])), "an id is unique for a day only"
    assert refused(normaliser) == {Reason.DUPLICATE: 2}


def test_one_message_of_the_future_is_refused_and_several_that_agree_are_believed() -> None:
    normaliser = Normaliser()
    normaliser.tell_time(NOON)
    normaliser.trades([trade(1)])
    far = NOON + 10 * LEAP
    assert list(normaliser.trades([trade(2, at=far)])) == []
    assert list(normaliser.trades([trade(3, at=far + 1), trade(4, at=far + 2)])) == [trade(4, at=far + 2)]
    assert refused(normaliser) == {Reason.FUTURE: 2}


def test_a_print_of_long_ago_is_refused_until_it_is_plain_that_time_went_back() -> None:
    normaliser = Normaliser()
    normaliser.trades([trade(1)])
    old = [trade(number, at=NOON - OLDEST - number) for number in range(2, 8)]
    assert len(normaliser.trades(old)) == 2
    assert refused(normaliser) == {Reason.STALE: 4}


def test_a_price_far_from_the_quotes_is_refused_until_prints_agree_on_it() -> None:
    normaliser = Normaliser()
    normaliser.quotes([quote()])
    normaliser.trades([trade(number, at=NOON + number, price=100 + number % 3 / 100) for number in range(1, 400)])
    assert list(normaliser.trades([trade(400, at=NOON + 400, price=50.0)])) == []
    assert list(normaliser.trades([trade(401, at=NOON + 401, price=101.0)])), "a price may move"
    split = [trade(402 + n, at=NOON + 402 + n, price=50.0) for n in range(6)]
    assert normaliser.trades(split)[-1] is split[-1]
    assert refused(normaliser)[Reason.OUTLIER] <= 5


def test_conditions_say_what_a_print_updates() -> None:
    assert [updates("C", (c,)) for c in ("@", "F", "O", "6", "T")] == [ALL] * 5
    assert [updates("C", (c,)) for c in ("I", "C", "W", "7", "U")] == [VOLUME] * 5
    assert [updates("C", (c,)) for c in ("Z", "G", "4", "P")] == [HIGH_LOW | VOLUME] * 4
    assert [updates("C", (c,)) for c in ("M", "Q")] == [0, 0]
    assert (updates("A", ("B",)), updates("C", ("B",))) == (VOLUME, ALL), "average price on CTA, bunched on UTP"
    assert updates("C", ("@", "Z", "I")) == VOLUME, "the most restrictive holds"
    assert (updates("", ("1",)), updates("", ("20000020",)), updates("", ("4800",))) == (ALL, VOLUME, HIGH_LOW | VOLUME)
    assert updates("C", ("9",)) == LAST | HIGH_LOW


def test_a_kind_is_known_once_and_what_garbled_conditions_leave_behind_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conditions, "MOST_KINDS", 10)
    for n in range(300):
        told = ("@", str(n % 14))
        one, other = (kind_of(trade(conditions=tuple(told))) for _ in range(2))
        assert one is other
        assert (one.conditions, one.effect) == (told, updates("", told))
        assert len(kinds_of("")) <= 10


def test_a_time_beyond_all_clocks_is_absurd_however_often_it_comes() -> None:
    normaliser = Normaliser()
    assert normaliser.trades([trade()])
    assert normaliser.trades([trade(number, at=END_OF_TIME + number) for number in range(2, 9)]) == []
    assert refused(normaliser) == {Reason.ABSURD: 7}
