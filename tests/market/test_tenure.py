"""The word of a symbol passes from one feed to another: each closed bar is said once, whatever the moment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.market.tenure import GRACE, NEVER, Tenure
from engine.streams.messages import Candles, FeedStatus, Quotes, QuoteState

S = NANOSECONDS


def bar(second: int, *, symbol: str = "SPY", closed: bool = True, timeframe: Timeframe = Timeframe.SECOND_1) -> Bar:
    return Bar(symbol, timeframe, second * S, 1.0, 1.0, 1.0, 1.0, 1.0, closed=closed)


def said(tenure: Tenure, bars: list[Bar], now: int) -> list[Bar]:
    found = tenure.ours(Candles(Timeframe.SECOND_1, bars), now)
    return found.bars if isinstance(found, Candles) else []


@given(st.integers(1, 200), st.lists(st.tuples(st.integers(0, 190), st.integers(0, 4)), max_size=100))
def test_a_closed_bar_is_one_feeds_whenever_either_of_them_closes_it(moment: int, bars: list[tuple[int, int]]) -> None:
    old, new = Tenure(), Tenure()
    new.begin(["SPY"], NEVER)
    new.begin(["SPY"], moment * S)
    old.end(["SPY"], moment * S)
    for second, late in bars:
        closed, now = bar(second), (second + 1 + late) * S
        assert len(said(old, [closed], now)) + len(said(new, [closed], now)) == 1


def test_a_feed_that_stands_by_says_nothing_of_the_symbol_and_everything_of_the_others() -> None:
    new = Tenure()
    new.begin(["SPY"], NEVER)
    assert new.silent == ["SPY"]
    assert said(new, [bar(5), bar(5, symbol="IBM")], 6 * S) == [bar(5, symbol="IBM")]
    quotes = Quotes([QuoteState(name, *[1.0] * 7, 0) for name in ("SPY", "IBM")])
    kept = new.ours(quotes, 6 * S)
    assert isinstance(kept, Quotes) and [state.symbol for state in kept.quotes] == ["IBM"]


def test_what_grows_is_said_by_the_one_who_has_the_word_at_the_time() -> None:
    old, new = Tenure(), Tenure()
    new.begin(["SPY"], 60 * S)
    old.end(["SPY"], 60 * S)
    hour = bar(0, closed=False, timeframe=Timeframe.HOUR_1)
    assert (said(old, [hour], 59 * S), said(new, [hour], 59 * S)) == ([hour], [])
    assert (said(old, [hour], 61 * S), said(new, [hour], 61 * S)) == ([], [hour])
    closed = bar(0, timeframe=Timeframe.HOUR_1)
    assert (said(old, [closed], 3601 * S), said(new, [closed], 3601 * S)) == ([], [closed])


def test_the_old_feed_lets_go_after_late_prints_had_their_time_and_may_get_the_symbol_back() -> None:
    old = Tenure()
    old.end(["SPY"], 60 * S)
    assert old.over(60 * S + GRACE - 1) == []
    assert old.over(60 * S + GRACE) == ["SPY"]
    old.begin(["SPY"], 0)
    assert old.over(NEVER) == []
    assert said(old, [bar(70)], 71 * S) == [bar(70)]


def test_what_is_no_symbols_is_always_said() -> None:
    tenure = Tenure()
    tenure.begin(["SPY"], NEVER)
    status = FeedStatus(feed="feed", source="iex", connected=True, age=0.0, messages=1, message_rate=1.0)
    assert tenure.ours(status, 0) is status
