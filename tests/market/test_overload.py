"""A source that brings more than can be worked on: what gives way, in which order, and how trades come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from msgspec import msgpack

from engine.domain.market import Bar, Quote, Timeframe, Trade
from engine.market.batch import Batch
from engine.market.columns import Quotes
from engine.market.frames import decode
from engine.market.sources.overload import BARS_AFTER, LONGEST_FULL, TRADES_AFTER, Overload
from engine.market.sources.polling import CUT, MOST, RestPolling
from engine.market.sources.shared import Arrival, SharedSource
from tests.market.packing import packed_quote
from tests.market.tellers import BEGIN, SYMBOLS, Publisher, frame
from tests.market.test_packed import reader
from tests.market.test_sources import assert_whole, listening
from tests.virtual_time import run_virtually

QUOTES = [Quote(symbol, 1.0, 1.0, 2.0, 1.0, BEGIN + number) for number in range(3) for symbol in SYMBOLS]
MINUTE = Bar("SPY", Timeframe.MINUTE_1, BEGIN, 1, 1, 1, 1, 1)


def after(seconds: float) -> tuple[Overload, Batch]:
    """A full batch, after full ones for so long."""
    overload, batch = Overload(), Batch()
    for at in (0.0, seconds):
        batch = Batch(trades=[*Publisher().printed.print(1)], quotes=list(QUOTES), bars=[MINUTE])
        overload.look(batch, True, at)
    return overload, batch


def kept(batch: Batch) -> tuple[int, int, int]:
    return len(batch.quotes), len(batch.bars), len(batch.trades)


def test_a_short_burst_loses_nothing() -> None:
    overload, batch = after(LONGEST_FULL)
    assert (kept(batch), overload.conflated, dict(overload.shed)) == ((6, 1, 2), 0, {})


def test_first_quotes_are_conflated_then_minutes_are_left_out_and_trades_last() -> None:
    found = [after(LONGEST_FULL * times + 0.1) for times in (1, BARS_AFTER, TRADES_AFTER)]
    assert [kept(batch) for _, batch in found] == [(2, 1, 2), (2, 0, 2), (2, 0, 0)]
    assert [dict(overload.shed) for overload, _ in found] == [{}, {"minutes": 1}, {"minutes": 1, "trades": 2}]
    assert all(overload.conflated == 4 for overload, _ in found)


def test_the_first_batch_that_is_not_full_after_trades_were_left_out_marks_a_gap_once() -> None:
    overload, _ = after(LONGEST_FULL * TRADES_AFTER + 0.1)
    calm = [Batch(), Batch()]
    for batch in calm:
        overload.look(batch, False, 40.0)
    assert [batch.fresh for batch in calm] == [True, False]


def test_quotes_in_columns_are_conflated_alike_without_making_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    data = msgpack.encode([packed_quote(symbol, 1 + number, number) for number in range(40) for symbol in SYMBOLS])
    newest = {quote.symbol: quote.timestamp for quote in decode(data).quotes}
    monkeypatch.setattr(Quotes, "make", None)
    overload = Overload()
    for at in (0.0, LONGEST_FULL + 0.1):
        batch = reader.read([data])
        assert batch is not None
        overload.look(batch, True, at)
    assert {quote.symbol: quote.timestamp for quote in batch.quotes} == newest
    assert overload.conflated == 39 * len(SYMBOLS)


class Flood(SharedSource):
    """Full for a minute, then not; a frame a second."""

    def __init__(self, teller: Publisher) -> None:
        super().__init__("flood", seed=1)
        self._teller = teller

    async def _session(self) -> AsyncGenerator[Arrival, None]:
        yield Arrival()
        await asyncio.sleep(1)
        for second in range(70):
            yield Arrival([msgspec.json.encode(frame(self._teller.printed.print(3)))], full=second < 60)
            await asyncio.sleep(1)
        await asyncio.Event().wait()


class FloodTeller(Publisher):
    def __init__(self) -> None:
        super().__init__()
        self.source = Flood(self)


def test_trades_that_were_left_out_are_in_the_candles_afterwards() -> None:
    async def live() -> None:
        teller = FloodTeller()
        async with listening(teller, *SYMBOLS) as found:
            await asyncio.sleep(90)
            assert teller.source.shed["trades"] > 100 and found.line.shed == teller.source.shed
            assert found.caught_up == 2
            await assert_whole(found, teller)

    run_virtually(live())


class Hasty(Flood):
    """Comes back with prints in the same breath, before anything else can run."""

    async def _session(self) -> AsyncGenerator[Arrival, None]:
        yield Arrival()
        await asyncio.sleep(1)
        yield Arrival(gap=True)
        for _ in range(3):
            yield Arrival([msgspec.json.encode(frame(self._teller.printed.print(3)))])
        await asyncio.Event().wait()


def test_what_comes_in_the_same_breath_as_the_news_of_a_gap_waits_until_the_gap_is_read() -> None:
    async def live() -> None:
        teller = FloodTeller()
        teller.source = Hasty(teller)
        async with listening(teller, *SYMBOLS) as found:
            ends: list[int] = []

            async def catch_up() -> None:
                ends.append(len(found.candles["SPY"].seconds.bars))

            found.line._catch_up = catch_up
            await asyncio.sleep(5)
            assert ends == [0]
            assert found.candles["SPY"].seconds.bars

    run_virtually(live())


class BusyVenue:
    """Always has as many trades as one answer holds, all of the last second."""

    async def newest_trades(self, symbol: str, start: int, limit: int) -> list[Trade]:
        return [Trade(symbol, 1.0, 1.0, BEGIN + number, "V", (), number) for number in range(limit)]


async def test_an_answer_that_had_no_room_for_its_oldest_trades_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.market.sources.polling.PAUSE", 0.0)
    venue: Any = BusyVenue()
    polling = RestPolling("rest", venue, lambda: BEGIN + MOST)
    await polling.subscribe(["SPY"])
    batches = aiter(polling)
    assert [len((await anext(batches)).trades) for _ in range(2)] == [0, MOST]
    assert dict(polling.shed) == {CUT: 1}
    await batches.aclose()  # type: ignore[attr-defined]
