"""The simulated market: the same from a seed, plausible, and without a jump where a run ends and the next begins."""

from __future__ import annotations

import numpy as np
import pytest

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.assets import DEFAULT_SYMBOLS, profile
from engine.exchange.prices.events import TapeEvent
from engine.exchange.prices.synthetic import SyntheticPrices

START = 1_763_654_400 * NANOSECONDS
"""2025-11-20, eleven in the morning in New York."""
SECOND, MINUTE = NANOSECONDS, 60 * NANOSECONDS


def run(source: SyntheticPrices, until: int, step: int = 7 * SECOND) -> list[TapeEvent]:
    return [event for end in range(source.tape_start, until, step) for event in source.step(end)] + source.step(until)


def last_prices(events: list[TapeEvent]) -> dict[str, float]:
    return {event.symbol: event.price for event in events if isinstance(event, Trade)}


def test_the_tape_follows_from_the_seed_and_not_from_how_it_is_asked() -> None:
    one = run(SyntheticPrices(("SPY", "BTC/USD"), 3, START, recent=2), START + MINUTE)
    other = run(SyntheticPrices(("SPY", "BTC/USD"), 3, START, recent=2), START + MINUTE, step=SECOND // 3)
    assert one == other
    assert one != run(SyntheticPrices(("SPY", "BTC/USD"), 4, START, recent=2), START + MINUTE)


def test_events_come_in_order_in_whole_cents_inside_a_spread() -> None:
    events = run(SyntheticPrices(DEFAULT_SYMBOLS, 1, START, recent=2), START + MINUTE)
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    quotes: dict[str, Quote] = {}
    for event in events:
        if isinstance(event, Quote):
            quotes[event.symbol] = event
            assert 0 < event.bid_price < event.ask_price
            assert event.bid_price == round(event.bid_price, 2)
            assert event.bid_size > 0 < event.ask_size
        elif isinstance(event, Trade):
            quote = quotes[event.symbol]
            assert quote.bid_price <= event.price <= quote.ask_price
            assert event.size > 0
    assert set(quotes) == set(DEFAULT_SYMBOLS)


def test_every_symbol_has_several_messages_a_second_at_any_hour() -> None:
    night = START + 12 * 60 * MINUTE
    source = SyntheticPrices(DEFAULT_SYMBOLS, 1, night, recent=2)
    source.step(night)
    rate = len(source.step(night + 2 * MINUTE)) / 120 / len(DEFAULT_SYMBOLS)
    assert 3 <= rate <= 8


@pytest.mark.parametrize("seed", range(3))
def test_a_run_opens_at_the_price_that_the_run_before_ended_with(seed: int) -> None:
    first = last_prices(run(SyntheticPrices(DEFAULT_SYMBOLS, seed, START, recent=2), START + 5 * MINUTE))
    source = SyntheticPrices(DEFAULT_SYMBOLS, seed, START + 6 * MINUTE, levels=first, recent=2)
    for symbol, price in last_prices(run(source, source.start)).items():
        assert price == pytest.approx(first[symbol], rel=0.002)


@pytest.mark.parametrize("symbol", ["SPY", "TSLA", "BTC/USD"])
def test_history_ends_where_the_tape_begins(symbol: str) -> None:
    source = SyntheticPrices((symbol,), 1, START)
    minutes, days = source.minute_bars(symbol, 0, source.tape_start), source.daily_bars(symbol)
    first = next(event.price for event in source.step(START) if isinstance(event, Trade))
    assert minutes.close[-1] == pytest.approx(first, rel=0.01)
    assert minutes.timestamp[-1] == source.tape_start - MINUTE
    assert len(days) > 600
    for bars in (minutes, days):
        assert np.all(np.diff(bars.timestamp) > 0)
        assert np.all(bars.low <= np.minimum(bars.open, bars.close))
        assert np.all(bars.high >= np.maximum(bars.open, bars.close))


@pytest.mark.parametrize("symbol", ["SPY", "TSLA", "BTC/USD"])
def test_live_volatility_is_a_modest_multiple_of_the_real_one(symbol: str) -> None:
    source = SyntheticPrices((symbol,), 2, START, recent=2)
    source.step(START)
    closes = []
    for end in range(START + MINUTE, START + 90 * MINUTE, MINUTE):
        closes += [e.price for e in source.step(end)[-20:] if isinstance(e, Trade)][-1:]
    yearly = float(np.std(np.diff(np.log(closes)))) * np.sqrt(252 * 390)
    assert 0.8 < yearly / profile(symbol).volatility < 3
