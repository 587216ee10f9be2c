"""Indicators beside a feed: nothing before the warm-up, then the same values as over the whole series, also after revisions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import UnavailableError
from engine.domain.market import NANOSECONDS, Bar, IndicatorValues, Timeframe
from engine.market.indicators import live as live_module
from engine.market.indicators.kept import KeptBars
from engine.market.indicators.live import LiveIndicators
from engine.market.indicators.parameters import IndicatorParameters
from engine.market.indicators.table import IndicatorTable
from engine.streams.messages import Candles, Indicators, Message
from tests.market.conftest import exchange, running
from tests.waiting import until

MINUTE, DAY = 60 * NANOSECONDS, 86_400 * NANOSECONDS
M1 = Timeframe.MINUTE_1
SHORT = IndicatorParameters(sma=3, ema=3, rsi=3, macd_fast=2, macd_slow=4, macd_signal=2, bollinger=3, atr=3)


def day_start(symbol: str, at: int) -> int:
    return at // DAY * DAY


def tape(count: int, symbol: str = "SPY", seed: int = 1) -> list[Bar]:
    chance, price, bars = random.Random(seed), 100.0, []
    for minute in range(count):
        price = max(price + chance.uniform(-1, 1), 1.0)
        bars.append(Bar(symbol, M1, minute * MINUTE, price, price + 0.5, price - 0.5, price, 100.0, 5, price + 0.1))
    return bars


def expected(bars: Sequence[Bar], parameters: IndicatorParameters = SHORT) -> dict[int, IndicatorValues]:
    values = IndicatorTable(parameters).take(bars, [day_start(bar.symbol, bar.timestamp) for bar in bars])
    return {
        bar.timestamp: IndicatorValues(bar.symbol, bar.timestamp, *row.tolist())
        for bar, row in zip(bars, values, strict=True)
    }


class Desk:
    """A history that can be away, and what was published."""

    def __init__(self, past: Sequence[Bar] = ()) -> None:
        self.past = list(past)
        self.away = False
        self.asked: list[tuple[str, Timeframe, int]] = []
        self.said: list[IndicatorValues] = []
        self.known = 0
        """Values of `said` that a recorder leaves out."""
        self.live = LiveIndicators(self.ask, self.publish, day_start, SHORT)

    async def ask(self, symbol: str, timeframe: Timeframe, limit: int) -> Sequence[Bar]:
        self.asked.append((symbol, timeframe, limit))
        await asyncio.sleep(0)
        if self.away:
            raise UnavailableError("The broker is away.")
        return [bar for bar in self.past if (bar.symbol, bar.timeframe) == (symbol, timeframe)][-limit:]

    def publish(self, topic: str, message: Message) -> None:
        assert isinstance(message, Indicators)
        assert topic == f"indicators.{message.timeframe}"
        self.said += message.values
        self.known += len(message.values) if message.past else 0

    @property
    def latest(self) -> dict[int, IndicatorValues]:
        return {values.timestamp: values for values in self.said}


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    """Before any test waits for it: where nothing is cached yet, compiling takes its time."""
    IndicatorTable(SHORT).take(tape(1), [0])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PACE", 0.0)
    monkeypatch.setattr(live_module, "RETRY", 0.01)
    monkeypatch.setattr(live_module, "SHOWN", 1)
    monkeypatch.setattr(live_module, "TIMEFRAMES", (M1,))


@asynccontextmanager
async def warming(desk: Desk, *symbols: str) -> AsyncIterator[LiveIndicators]:
    desk.live.watch(symbols)
    task = asyncio.create_task(desk.live.run())
    try:
        yield desk.live
    finally:
        task.cancel()


async def test_the_first_value_comes_after_the_warm_up_and_is_that_of_the_whole_series() -> None:
    bars = tape(200)
    desk = Desk(bars[:150])
    async with warming(desk, "SPY") as live:
        live.take(M1, bars[150:152])
        assert desk.said == []
        await until(lambda: live.warm == 1)
        live.take(M1, bars[152:153])
        for bar in bars[153:]:
            live.take(M1, [bar])
    whole = expected(bars)
    assert desk.latest == {bar.timestamp: whole[bar.timestamp] for bar in bars[151:]}


async def test_what_a_chart_shows_is_given_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "SHOWN", 40)
    bars = tape(200)
    desk = Desk(bars)
    async with warming(desk, "SPY") as live:
        await until(lambda: live.warm == 1)
        live.take(M1, [tape(201)[-1]])
    assert (len(desk.said), desk.known) == (41, 40), "the recorder takes only what is new"
    desk.said.pop()
    whole = expected(bars)
    assert list(desk.latest) == [bar.timestamp for bar in bars[-40:]]
    for at, values in desk.latest.items():
        np.testing.assert_allclose(
            [values.ema, values.rsi, values.macd_signal, values.atr],
            [whole[at].ema, whole[at].rsi, whole[at].macd_signal, whole[at].atr],
            rtol=1e-9,
        )


async def test_history_is_asked_for_again_until_it_answers_and_all_that_came_meanwhile_counts() -> None:
    bars = tape(160)
    desk = Desk(bars[:120])
    desk.away = True
    async with warming(desk, "SPY") as live:
        await until(lambda: len(desk.asked) >= 2)
        live.take(M1, bars[110:160])
        assert desk.said == []
        desk.away = False
        await until(lambda: live.warm == 1)
    assert desk.latest == {bars[-1].timestamp: expected(bars)[bars[-1].timestamp]}


async def test_a_revised_bar_changes_its_value_and_all_later_ones_and_each_is_given_out_again() -> None:
    bars = tape(170)
    desk = Desk(bars[:150])
    async with warming(desk, "SPY") as live:
        await until(lambda: live.warm == 1)
        for bar in bars[150:]:
            live.take(M1, [bar])
        desk.said.clear()
        old = bars[160]
        bars[160] = Bar(
            "SPY",
            M1,
            old.timestamp,
            old.open,
            old.high + 1,
            old.low,
            old.close + 0.75,
            old.volume,
            5,
            old.vwap,
            True,
            1,
        )
        live.take(M1, [bars[160]])
    whole = expected(bars)
    assert [values.timestamp for values in desk.said] == [bar.timestamp for bar in bars[160:]]
    assert desk.latest == {bar.timestamp: whole[bar.timestamp] for bar in bars[160:]}


async def test_a_listing_that_is_younger_than_the_warm_up_has_values_once_every_indicator_has_one() -> None:
    bars = tape(12)
    desk = Desk(bars[:3])
    async with warming(desk, "SPY") as live:
        await until(lambda: len(desk.asked) == 1 and live._series[M1, "SPY"].state is not live_module.State.COLD)
        for bar in bars[3:]:
            live.take(M1, [bar])
    whole = expected(bars)
    assert desk.latest == {bar.timestamp: whole[bar.timestamp] for bar in bars[SHORT.lookback - 1 :]}


async def test_growing_bars_and_symbols_that_left_are_passed_over_and_a_bar_that_cannot_be_begins_anew() -> None:
    bars, others = tape(160), tape(160, "IBM", seed=2)
    desk = Desk([*bars[:150], *others[:150]])
    async with warming(desk, "SPY", "IBM") as live:
        await until(lambda: live.warm == 2)
        desk.said.clear()
        growing = Bar("SPY", M1, bars[150].timestamp, 1, 1, 1, 1, 1, closed=False)
        live.take(M1, [growing])
        assert desk.said == []
        torn = Bar("SPY", M1, bars[150].timestamp, 1, float("nan"), 1, 1, 1)
        live.take(M1, [torn, others[150]])
        assert ({values.symbol for values in desk.said}, live.refused, live.warm) == ({"IBM"}, 1, 1)
        await until(lambda: live.warm == 2)
        live.take(M1, [bars[150]])
        assert desk.said[-1] == expected(bars)[bars[150].timestamp]
        live.unwatch(["SPY"])
        desk.said.clear()
        live.take(M1, [bars[151]])
        assert (desk.said, live.warm) == ([], 1)


async def test_a_symbol_that_leaves_while_its_history_is_read_ends_nothing_and_may_come_back() -> None:
    """As when it goes to another feed, or off the watch list."""
    bars, others = tape(160), tape(160, "IBM", seed=2)
    desk = Desk([*bars[:150], *others[:150]])
    asked = asyncio.Event()
    answer = desk.ask

    async def slow(symbol: str, timeframe: Timeframe, limit: int) -> Sequence[Bar]:
        found = await answer(symbol, timeframe, limit)
        if symbol == "SPY" and not asked.is_set():
            asked.set()
            desk.live.unwatch(["SPY"])
            desk.live.watch(["IBM"])
        return found

    desk.live = LiveIndicators(slow, desk.publish, day_start, SHORT)
    async with warming(desk, "SPY") as live:
        await until(lambda: live.warm == 1)
        assert asked.is_set() and {values.symbol for values in desk.said} == {"IBM"}
        live.watch(["SPY"])
        await until(lambda: live.warm == 2)
        live.take(M1, [bars[150]])
        assert desk.said[-1] == expected(bars)[bars[150].timestamp]


async def test_beside_a_feed_on_the_exchange_they_are_those_of_the_venues_own_minutes() -> None:
    async with exchange(speed=120) as server, running(server.url, "SPY") as found:
        await found.feed._wait_until_caught_up()  # before that its first minute may lack prints, and is revised
        said: list[Indicators] = []
        live = LiveIndicators(
            found.feed.history.newest_closed,
            lambda _, message: said.append(message),
            day_start,  # type: ignore[arg-type]
        )
        live.watch(["SPY"])
        task = asyncio.create_task(live.run())
        taken = 0

        def warmed() -> bool:
            nonlocal taken
            for _, message in found.said[taken:]:
                if isinstance(message, Candles):
                    live.take(message.timeframe, message.bars)
            taken = len(found.said)
            return len({values.timestamp for message in said for values in message.values}) >= 4

        await until(warmed)
        task.cancel()
        newest = {values.timestamp: values for message in said for values in message.values}
        first = min(newest)
        now, _ = await found.feed._rest.market_time()
        bars = await found.feed.history.newest_closed("SPY", M1, 2_000)
        whole = expected([bar for bar in bars if bar.timestamp <= max(newest)], IndicatorParameters())
        assert now > first
        for at in sorted(newest)[:2]:
            ours, theirs = newest[at], whole[at]
            np.testing.assert_allclose(
                [ours.sma, ours.rsi, ours.macd, ours.atr], [theirs.sma, theirs.rsi, theirs.macd, theirs.atr], rtol=1e-6
            )


@given(st.lists(st.integers(0, 60), min_size=1, max_size=120), st.integers(1, 12))
@settings(deadline=None)
def test_kept_bars_are_the_newest_of_each_time(minutes: list[int], most: int) -> None:
    kept, model = KeptBars(most), dict[int, float]()
    for number, minute in enumerate(minutes):
        at = minute * MINUTE
        row = kept.put(Bar("SPY", M1, at, 1, 1, 1, number + 1, 1))
        assert (row < 0) == (sum(other >= at for other in model) > most)
        if row >= 0:
            model[at] = number + 1
            assert kept.times[row] == at
    assert len(kept) <= 2 * most
    newest = sorted(model)[-most:]
    assert kept.times[-len(newest) :].tolist() == newest
    assert kept.numbers[-len(newest) :, 2].tolist() == [model[at] for at in newest]
    assert kept.newest == max(model)
