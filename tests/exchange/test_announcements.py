"""What a simulated tape tells beside prints and quotes: halts, jumps, auctions, late prints, corrections."""

from __future__ import annotations

from collections import Counter
from datetime import date, time

import numpy as np
import pytest

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.conditions import is_closing, is_opening
from engine.exchange.prices.events import Bands, Cancellation, Correction, LatePrint, Status, TapeEvent
from engine.exchange.prices.synthetic import SyntheticPrices, Texture
from engine.exchange.sessions import RealCalendar, at_new_york
from engine.exchange.tape import Tape

SECOND, MINUTE = NANOSECONDS, 60 * NANOSECONDS
START = at_new_york(date(2025, 11, 20), time(11))
HALF_DAY = date(2025, 11, 28)
CALM = Texture(jumps_per_day=0.0, revisions_per_hour=0.0)


def events_of(source: SyntheticPrices, until: int, symbol: str = "SPY") -> list[TapeEvent]:
    found = [event for end in range(source.tape_start, until, MINUTE) for event in source.step(end)]
    return [event for event in found + source.step(until) if event.symbol == symbol]


def test_a_halted_symbol_is_silent_and_others_are_not() -> None:
    source = SyntheticPrices(("SPY", "AAPL"), 1, START, recent=0, texture=CALM)
    source.step(START + 10 * SECOND)
    source.halt("SPY", START + 10 * SECOND + 1, 30)
    events = source.step(START + 70 * SECOND)
    statuses = [event for event in events if isinstance(event, Status)]
    assert [(s.symbol, s.code, s.is_halt) for s in statuses] == [("SPY", "H", True), ("SPY", "T", False)]
    halted, resumed = (status.timestamp for status in statuses)
    assert resumed - halted == 30 * SECOND
    silent = [e.symbol for e in events if halted <= e.timestamp < resumed and isinstance(e, Trade | Quote)]
    assert set(silent) == {"AAPL"}
    assert any(e.symbol == "SPY" and e.timestamp > resumed for e in events if isinstance(e, Trade))
    assert [e.timestamp for e in events] == sorted(e.timestamp for e in events)
    assert source.halts.withheld > 0


def test_a_longer_halt_extends_one_that_is_on() -> None:
    source = SyntheticPrices(("SPY",), 1, START, recent=0, texture=CALM)
    source.step(START)
    source.halt("SPY", START + 1, 10)
    source.step(START + 5 * SECOND)
    source.halt("SPY", START + 5 * SECOND + 1, 20)
    later = source.step(START + MINUTE)
    assert [(e.code, e.timestamp) for e in later if isinstance(e, Status)] == [("T", START + 25 * SECOND + 1)]


def test_a_jump_beyond_the_band_pauses_a_stock_for_five_minutes_and_the_bands_follow() -> None:
    texture = Texture(jumps_per_day=2_000.0, revisions_per_hour=0.0)
    events = events_of(
        SyntheticPrices(("TSLA", "BTC/USD"), 4, START, recent=0, texture=texture), START + 90 * MINUTE, "TSLA"
    )
    pauses = [event for event in events if isinstance(event, Status) and event.code == "P"]
    bands = [event for event in events if isinstance(event, Bands)]
    assert pauses
    assert pauses[0].reason_code == "LUDP"
    ends = [e.timestamp for e in events if isinstance(e, Status) and not e.is_halt]
    assert ends[0] - pauses[0].timestamp >= 300 * SECOND
    assert len(bands) > 2
    assert all(band.lower < band.upper for band in bands)


def test_jumps_follow_from_the_seed_and_leave_a_fat_tail() -> None:
    def moves(texture: Texture) -> np.ndarray:
        events = events_of(SyntheticPrices(("AAPL",), 6, START, recent=0, texture=texture), START + 30 * MINUTE, "AAPL")
        return np.diff(np.log([e.price for e in events if isinstance(e, Trade)]))

    calm, jumpy = moves(CALM), moves(Texture(jumps_per_day=300.0, revisions_per_hour=0.0))
    assert np.abs(jumpy).max() > 5 * np.abs(calm).max()
    assert np.array_equal(jumpy, moves(Texture(jumps_per_day=300.0, revisions_per_hour=0.0)))


def test_a_half_day_of_the_real_calendar_has_one_opening_and_one_closing_auction() -> None:
    opens, closes = at_new_york(HALF_DAY, time(9, 30)), at_new_york(HALF_DAY, time(13))
    sessions = RealCalendar()
    source = SyntheticPrices(("SPY",), 1, opens - MINUTE, sessions=sessions, recent=0, texture=CALM)
    morning = [*source.step(opens + MINUTE)]
    source = SyntheticPrices(("SPY",), 1, closes - 2 * MINUTE, sessions=sessions, recent=0, texture=CALM)
    noon = [*source.step(closes + MINUTE)]
    first = next(e for e in morning if isinstance(e, Trade) and e.timestamp >= opens)
    last = [e for e in noon if isinstance(e, Trade) and e.timestamp < closes][-1]
    assert (first.conditions, is_opening(first), first.timestamp - opens) == (("O",), True, 1)
    assert (last.conditions, is_closing(last), closes - last.timestamp) == (("6",), True, 1)
    assert first.size > 100_000 < last.size
    assert sum(is_opening(e) or is_closing(e) for e in morning + noon if isinstance(e, Trade)) == 2


def test_extended_hours_are_thin_and_wide_and_the_night_is_silent() -> None:
    sessions = RealCalendar()

    def quotes(clock: time) -> list[Quote]:
        start = at_new_york(date(2025, 11, 20), clock)
        source = SyntheticPrices(("SPY",), 1, start, sessions=sessions, recent=0, texture=CALM)
        return [event for event in source.step(start + 20 * MINUTE) if isinstance(event, Quote)]

    night, early, noon = quotes(time(3)), quotes(time(7)), quotes(time(12))
    assert not night
    assert 0 < len(early) < len(noon) / 10
    assert np.mean([q.ask_price - q.bid_price for q in early]) > 2 * np.mean([q.ask_price - q.bid_price for q in noon])


def test_history_of_the_real_calendar_is_in_sessions_only() -> None:
    start = at_new_york(date(2025, 12, 3), time(11))
    sessions = RealCalendar()
    source = SyntheticPrices(("SPY", "BTC/USD"), 1, start, sessions=sessions)
    minutes = source.minute_bars("SPY", 0, source.tape_start)
    assert all(sessions.is_open(at) for at in minutes.timestamp.tolist())
    thanksgiving = at_new_york(date(2025, 11, 27), time())
    assert not len(source.minute_bars("SPY", thanksgiving, thanksgiving + 1_440 * MINUTE))
    assert len(source.minute_bars("SPY", thanksgiving + 1_440 * MINUTE, thanksgiving + 2_880 * MINUTE)) == 210
    assert len(source.minute_bars("BTC/USD", thanksgiving, thanksgiving + 1_440 * MINUTE)) == 1_440
    days = source.daily_bars("SPY").timestamp
    assert 495 <= len(days) <= 505
    assert at_new_york(date(2025, 7, 4), time()) not in days


@pytest.fixture(scope="module")
def unreliable() -> list[TapeEvent]:
    texture = Texture(jumps_per_day=0.0, revisions_per_hour=200.0)
    return events_of(SyntheticPrices(("SPY",), 2, START, recent=0, texture=texture), START + 12 * MINUTE)


def test_late_prints_corrections_and_cancellations_are_as_rare_as_asked(unreliable: list[TapeEvent]) -> None:
    kinds = Counter(type(event) for event in unreliable)
    for kind in (LatePrint, Correction, Cancellation):
        assert 15 <= kinds[kind] <= 65
    assert [e.timestamp for e in unreliable] == sorted(e.timestamp for e in unreliable)


def test_the_tape_is_in_the_end_as_if_all_had_been_told_right_at_once(unreliable: list[TapeEvent]) -> None:
    """Trades, minute bars and the day, made with late prints, corrections and cancellations, equal those made without."""
    source = SyntheticPrices(("SPY",), 2, START, recent=0, texture=CALM)
    tape, truth = Tape(source), Tape(source).symbols["SPY"]
    told = tape.symbols["SPY"]
    prints: dict[int, Trade] = {}
    for event in unreliable:
        tape.on_event(event, True)
        match event:
            case Trade():
                prints[event.trade_id] = event
            case LatePrint():
                prints[event.trade.trade_id] = event.trade
            case Correction():
                prints[event.original.trade_id] = event.corrected
            case Cancellation():
                del prints[event.trade.trade_id]
    for trade in sorted(prints.values(), key=lambda trade: trade.timestamp):
        truth.on_trade(trade, True)
    end = START + 12 * MINUTE
    told.close_minute(end)
    truth.close_minute(end)
    assert told.unapplied == 0
    assert [told.trade_at(i) for i in range(len(told.trades))] == [truth.trade_at(i) for i in range(len(truth.trades))]
    bars, others = told.minute_bars(START, end), truth.minute_bars(START, end)
    for name in bars.__struct_fields__:
        assert np.allclose(getattr(bars, name), getattr(others, name)), name
    day, right = told.today(end - 1), truth.today(end - 1)
    assert day is not None
    assert right is not None
    assert (day.open, day.high, day.low, day.close) == (right.open, right.high, right.low, right.close)
    assert (day.volume, day.trade_count) == (pytest.approx(right.volume), right.trade_count)


def test_what_the_tape_no_longer_keeps_is_counted(unreliable: list[TapeEvent]) -> None:
    tape = Tape(SyntheticPrices(("SPY",), 2, START, recent=0, texture=CALM), tick_limit=20)
    for event in unreliable:
        tape.on_event(event, True)
    assert tape.symbols["SPY"].unapplied > 0


def test_two_venues_share_the_mid_and_quote_it_their_own_way() -> None:
    sources = [SyntheticPrices(("SPY",), 9, START, recent=0, texture=Texture(venue=number)) for number in (0, 1)]
    found = [events_of(source, START + 5 * MINUTE) for source in sources]
    assert found[0] != found[1]
    means = [np.mean([e.mid for e in events if isinstance(e, Quote)]) for events in found]
    assert means[0] == pytest.approx(means[1], rel=1e-4)
    last = [[e for e in events if isinstance(e, Quote)][-1].mid for events in found]
    assert last[0] == pytest.approx(last[1], rel=3e-4)
