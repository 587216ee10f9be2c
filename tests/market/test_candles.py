"""Candles against brute force, and against the official bars of recorded days."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.candles import Candles
from engine.market.hours import NewYorkDays
from engine.market.normaliser.conditions import sets_price
from engine.market.recorded import build_candles
from tests.shared_data import FOLDER, needs_shared_data

MINUTE = 60 * NANOSECONDS
Row = tuple[float, float, float, float, float]


def trade(at: int, price: float = 10.0, size: float = 1.0, conditions: tuple[str, ...] = ()) -> Trade:
    return Trade("SPY", price, size, at, "V", conditions, at)


def minute(number: int, volume: float = 10.0, close: float = 10.0) -> Bar:
    return Bar("SPY", Timeframe.MINUTE_1, number * MINUTE, 10, max(10, close), 10, close, volume, 1, 10, True)


def of(timeframe: Timeframe, bars: Iterable[Bar]) -> list[Bar]:
    return [bar for bar in bars if bar.timeframe is timeframe]


def latest(bars: Iterable[Bar]) -> dict[tuple[Timeframe, int], Bar]:
    """What a reader holds that keeps the last word on each candle."""
    return {(bar.timeframe, bar.timestamp): bar for bar in bars}


def row(bar: Bar) -> Row:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


def brute_force(trades: list[Trade], length: int) -> dict[int, Row]:
    found: dict[int, Row] = {}
    for start in {trade.timestamp // length * length for trade in trades}:
        inside = [trade for trade in trades if trade.timestamp // length * length == start]
        prices = [trade.price for trade in inside if sets_price(trade)]
        if prices:
            found[start] = (prices[0], max(prices), min(prices), prices[-1], sum(trade.size for trade in inside))
    return found


tapes = st.lists(
    st.tuples(st.integers(0, 40 * 60), st.integers(1, 50), st.integers(1, 9), st.sampled_from([(), ("I",)])),
    min_size=1,
    max_size=60,
)


@given(tapes, st.integers(1, 7))
def test_closed_candles_of_every_length_are_what_brute_force_gives(
    tape: list[tuple[int, int, int, tuple[str, ...]]], batch: int
) -> None:
    trades = [trade(at * NANOSECONDS, float(price), float(size), words) for at, price, size, words in sorted(tape)]
    candles, told = Candles("SPY"), []
    for index in range(0, len(trades), batch):
        part = trades[index : index + batch]
        told += candles.add(part)
        told += candles.close_before(part[-1].timestamp)
    told += candles.close_before(10 * 86_400 * NANOSECONDS)
    assert all(bar.closed for bar in told)
    for timeframe in (Timeframe.SECOND_1, Timeframe.MINUTE_1, Timeframe.MINUTE_5, Timeframe.HOUR_1, Timeframe.DAY_1):
        length = timeframe.nanoseconds
        minutes = brute_force(trades, min(length, MINUTE))
        # A longer candle is made of minutes, so a minute in which nothing set a price is not in it.
        counted = [t for t in trades if t.timestamp // min(length, MINUTE) * min(length, MINUTE) in minutes]
        found = {bar.timestamp: row(bar) for bar in latest(of(timeframe, told)).values()}
        assert found == brute_force(counted, length)


pauses = st.lists(st.sampled_from((1, 20, 60, 400, 995, 1_000, 58_000)), min_size=1, max_size=60)


@given(pauses, st.sampled_from((0, 50, 1_500)))
def test_a_candle_closes_as_soon_as_its_end_has_passed_whatever_came_of_the_next_one(
    tape: list[int], wait: int
) -> None:
    """`wait` = milliseconds that prints may be out of order: the next second has begun before this one closes."""
    candles, told = Candles("SPY"), dict[Timeframe, set[int]]()
    printed: set[int] = set()
    for moment in accumulate(tape):
        printed.add(moment * 1_000_000)
        time = (moment - wait) * 1_000_000
        for bar in [*candles.add([trade(moment * 1_000_000)]), *candles.close_before(time)]:
            told.setdefault(bar.timeframe, set()).add(bar.timestamp)
        for timeframe in (Timeframe.SECOND_1, Timeframe.MINUTE_1, Timeframe.MINUTE_5):
            starts = {at - at % timeframe.nanoseconds for at in printed}
            over = {start for start in starts if start + timeframe.nanoseconds <= time}
            assert told.get(timeframe, set()) == over


@pytest.mark.parametrize("venue_first", [True, False])
def test_the_venues_minutes_are_rolled_whether_they_come_before_or_after_ours_close(venue_first: bool) -> None:
    candles, told = Candles("SPY"), []
    for number in range(10):
        told += candles.add([trade(number * MINUTE + 1)])
        if venue_first:
            told += candles.replace_minute(minute(number)) + candles.close_before((number + 1) * MINUTE)
        else:
            told += candles.close_before((number + 1) * MINUTE) + candles.replace_minute(minute(number))
    fives = latest(of(Timeframe.MINUTE_5, told))
    assert [(bar.timestamp // MINUTE, bar.volume) for bar in fives.values()] == [(0, 50), (5, 50)]


def test_a_longer_candle_closes_although_its_last_minute_had_no_trade() -> None:
    candles = Candles("SPY")
    candles.add([trade(1)])
    told = candles.close_before(5 * MINUTE)
    assert [bar.timestamp for bar in of(Timeframe.MINUTE_5, told)] == [0]
    assert of(Timeframe.MINUTE_5, candles.close_before(6 * MINUTE)) == []


def test_a_correction_of_an_old_minute_amends_the_longer_candles_that_hold_it() -> None:
    candles = Candles("SPY")
    for number in range(7):
        candles.add([trade(number * MINUTE + 1)])
        candles.close_before((number + 1) * MINUTE)
    told = latest(candles.replace_minute(minute(2, volume=100.0, close=99.0)))
    five = told[Timeframe.MINUTE_5, 0]
    assert (five.volume, five.high, five.close, five.closed) == (104.0, 99.0, 10.0, True)
    fifteen = candles.current(Timeframe.MINUTE_15)
    assert fifteen is not None
    assert (fifteen.volume, fifteen.high, fifteen.closed) == (106.0, 99.0, False)


def test_a_late_print_amends_its_closed_candle_which_is_given_out_again() -> None:
    candles = Candles("SPY")
    candles.add([trade(1), trade(MINUTE + 1)])
    candles.close_before(2 * MINUTE)
    amended = latest(candles.add([trade(2, price=20.0)]))
    assert amended[Timeframe.MINUTE_1, 0].high == 20.0
    assert all(bar.closed for bar in amended.values())


def test_an_odd_lot_before_the_first_price_counts_as_volume() -> None:
    candles = Candles("SPY")
    candles.add([trade(1, 50.0, 3.0, ("I",)), trade(2, 10.0, 100.0)])
    (bar,) = of(Timeframe.MINUTE_1, candles.close_before(MINUTE))
    assert row(bar) == (10.0, 10.0, 10.0, 10.0, 103.0)


def test_today_is_seeded_so_that_the_day_does_not_begin_in_its_middle() -> None:
    candles = Candles("SPY")
    candles.seed([minute(number) for number in range(3)])
    candles.add([trade(3 * MINUTE + 1, size=5.0)])
    day = candles.current(Timeframe.DAY_1)
    assert day is not None
    assert (day.volume, day.closed) == (35.0, False)


def test_growing_candles_are_told_once_for_each_change() -> None:
    candles = Candles("SPY")
    candles.add([trade(1)])
    assert {bar.timeframe for bar in candles.growing()} == set(Timeframe)
    assert candles.growing() == []


@needs_shared_data
@pytest.mark.parametrize("day", [7, 8])
@pytest.mark.parametrize("symbol", ["SPY", "IBM", "AIG", "BAC"])
def test_minutes_of_recorded_trades_agree_with_the_official_ones(symbol: str, day: int) -> None:
    """Without a look at conditions 77 to 98 % of the minutes agree; issue 5 asks for 98.5 % and 98.9 % of the volumes.

    The rest are minutes at whose edge a print carries a millisecond of the other minute, and the first and last of the
    day, where the official bars know the auctions' prints by other rules.
    """
    shares = agreement(FOLDER, symbol, day)
    assert min(shares[:4]) >= 0.992, shares
    assert shares[4] >= 0.989, shares


def agreement(folder: Path, symbol: str, day: int) -> list[float]:
    """Shares of the regular minutes of that day of October 2013 with the official open, high, low, close, volume."""
    import polars as pl

    opening, closing = ((at + (day - 7) * 86_400) * NANOSECONDS for at in (1_381_152_600, 1_381_176_000))
    at = pl.col("timestamp").cast(pl.Int64).alias("at")
    recorded = pl.read_parquet(folder / "trades" / symbol / f"2013-10-{day:02}.parquet").with_columns(at)
    trades = [
        Trade(symbol, price, float(size), time, exchange, (condition,) if condition else ())
        for time, price, size, exchange, condition in recorded.select(
            "at", "price", "size", "exchange", "condition"
        ).iter_rows()
        if opening <= time < closing
    ]
    built = build_candles(trades, Timeframe.MINUTE_1, NewYorkDays())
    ours = {start: row(bar) for (_, start), bar in built.items()}
    official = pl.read_parquet(folder / "bars_1min" / f"{symbol}.parquet")
    official = official.with_columns(pl.col("timestamp").cast(pl.Datetime("ns", "UTC")).cast(pl.Int64).alias("at"))
    rows = official.filter((pl.col("at") >= opening) & (pl.col("at") < closing))
    pairs = [(ours.get(time), other) for time, *other in rows.select("at", *PRICES).iter_rows()]
    assert len(pairs) > 380
    return [
        sum(mine is not None and abs(mine[i] - theirs[i]) < 1e-6 for mine, theirs in pairs) / len(pairs)
        for i in range(5)
    ]


PRICES = ("open", "high", "low", "close", "volume")
