"""Which prints make candles, by the calendar; and whether a silent channel is dead or only quiet."""

from __future__ import annotations

from datetime import date, time

import pytest

from engine.domain.market import NANOSECONDS, Timeframe, Trade
from engine.market.batch import Batch
from engine.market.candles import Candles
from engine.market.hours import Choice, at_new_york, calendar_hours, midnight
from engine.market.sources.watchdog import SILENCE, ChannelState, Watchdog

HALF_DAY = date(2024, 11, 29)


def at(clock: time, day: date = HALF_DAY) -> int:
    return at_new_york(day, clock)


@pytest.mark.parametrize(
    ("choice", "counted"),
    [(Choice.REGULAR, [time(9, 30), time(12, 59)]), (Choice.EXTENDED, [time(8), time(9, 30), time(12, 59), time(17)])],
)
def test_candles_of_the_day_after_thanksgiving_end_when_its_half_day_ends(choice: Choice, counted: list[time]) -> None:
    candles = Candles("SPY", calendar_hours(HALF_DAY, HALF_DAY, choice))
    clocks = [time(3), time(8), time(9, 30), time(12, 59), time(17), time(20, 30)]
    told = candles.add(Trade("SPY", 10.0, 1.0, at(clock), "V", (), number) for number, clock in enumerate(clocks, 1))
    told += candles.close_before(at(time(23)))
    if choice is Choice.REGULAR:
        assert at(time(17)) not in {bar.timestamp for bar in told}
    assert [bar.timestamp for bar in told if bar.timeframe is Timeframe.MINUTE_1] == [at(clock) for clock in counted]
    assert candles.seconds.outside == len(clocks) - len(counted)


def test_a_day_begins_at_midnight_in_new_york_also_when_clocks_change() -> None:
    spring = date(2024, 3, 10)
    assert midnight(at(time(23), spring)) == at(time(0), spring)
    assert at(time(0), date(2024, 3, 11)) - at(time(0), spring) == 23 * 3_600 * NANOSECONDS


def heard(dog: Watchdog, now: float, newest: int = 1) -> None:
    dog.heard(Batch(trades=[Trade("SPY", 1.0, 1.0, newest)]), now)


def test_silence_is_mute_in_an_open_market_and_quiet_in_a_closed_one() -> None:
    for is_open, expected in ((True, ChannelState.MUTE), (False, ChannelState.QUIET)):
        dog = Watchdog()
        dog.began(0.0)
        heard(dog, 1.0)
        dog.look(2.0, is_open, 0)
        assert dog.channels["trades"].state is ChannelState.LIVE
        dog.look(2.0 + SILENCE, is_open, 0)
        assert dog.channels["trades"].state is expected


def test_a_symbol_that_trades_once_a_minute_is_not_taken_for_mute() -> None:
    dog = Watchdog()
    dog.began(0.0)
    for minute in range(1, 5):
        heard(dog, 60.0 * minute)
    dog.look(4 * 60.0 + 100, True, 0)
    assert dog.mute == []
    dog.look(4 * 60.0 + 400, True, 0)
    assert dog.mute == ["trades"]


def test_old_prices_are_late_though_they_come() -> None:
    dog = Watchdog()
    dog.began(0.0)
    heard(dog, 1.0, newest=at(time(10)))
    dog.look(1.5, True, at(time(10, 1)))
    assert dog.channels["trades"].state is ChannelState.LATE
