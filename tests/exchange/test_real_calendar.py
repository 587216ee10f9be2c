"""The exchange on New York's own calendar, through the close of a half day, with alpaca-py beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import GetCalendarRequest, MarketOrderRequest

from engine.clock import ManualClock
from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import NEW_YORK, at_new_york
from tests.exchange.conftest import call
from tests.waiting import until, until_async

HALF_DAY = date(2025, 11, 28)
THANKSGIVING = date(2025, 11, 27)
CLOSE = at_new_york(HALF_DAY, time(13))


@asynccontextmanager
async def exchange(
    at: int,
) -> AsyncIterator[tuple[ExchangeServer, ManualClock, TradingClient, StockHistoricalDataClient]]:
    clock = ManualClock(at)
    options = ExchangeOptions(symbols=("SPY", "BTC/USD"), calendar="real", recent_minutes=2, partial_fills=0.0)
    async with ExchangeServer(options, clock) as server:
        trading = TradingClient("key", "secret", url_override=server.url)
        data = StockHistoricalDataClient("key", "secret", url_override=server.url)
        for client in (trading, data):
            client._session.trust_env = False
        try:
            yield server, clock, trading, data
        finally:
            trading._session.close()
            data._session.close()


async def run_to(server: ExchangeServer, clock: ManualClock, at: int) -> None:
    clock.set(at)
    await until(lambda: server.venue.now >= at)


async def test_a_half_day_ends_at_one_with_its_auction() -> None:
    async with exchange(CLOSE - 60 * NANOSECONDS) as (server, clock, trading, _):
        before = await call(trading.get_clock)
        assert before.is_open
        assert before.next_close.astimezone(NEW_YORK).time() == time(13)
        order = MarketOrderRequest(symbol="SPY", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
        order_id = (await call(trading.submit_order, order)).id
        await run_to(server, clock, CLOSE + 30 * NANOSECONDS)

        async def filled() -> Any:
            found = await call(trading.get_order_by_id, order_id)
            return found if found.filled_qty == "5" else None

        await until_async(filled)
        after = await call(trading.get_clock)
        assert not after.is_open
        assert after.next_open.astimezone(NEW_YORK) == datetime.combine(
            HALF_DAY + timedelta(days=3), time(9, 30), NEW_YORK
        )
        auctions = await call(trading.get, "/stocks/auctions", {"symbols": "SPY", "start": HALF_DAY.isoformat()})
        (day,) = auctions["auctions"]["SPY"]
        assert (day["d"], day["o"], len(day["c"])) == (HALF_DAY.isoformat(), [], 1)
        assert day["c"][0]["s"] > 100_000
        tape = server.venue.tape.symbols
        spy = tape["SPY"]
        last = [spy.trade_at(index) for index in spy.trades.span(0, CLOSE - 1)][-1]
        assert (last.timestamp, last.conditions) == (CLOSE - 1, ("6",))
        assert all("T" in spy.trade_at(index).conditions for index in spy.trades.span(CLOSE, CLOSE << 1))
        # Coins trade on.
        quote = tape["BTC/USD"].quote
        assert quote is not None
        assert quote.timestamp > CLOSE


async def test_the_calendar_knows_holidays_and_half_days() -> None:
    async with exchange(CLOSE - 60 * NANOSECONDS) as (_, _, trading, _):
        week = GetCalendarRequest(start=THANKSGIVING - timedelta(days=1), end=HALF_DAY)
        days = await call(trading.get_calendar, week)
    assert [(day.date, day.open.time(), day.close.time()) for day in days] == [
        (THANKSGIVING - timedelta(days=1), time(9, 30), time(16)),
        (HALF_DAY, time(9, 30), time(13)),
    ]


async def test_bars_of_the_past_are_in_sessions_only() -> None:
    async with exchange(CLOSE - 60 * NANOSECONDS) as (_, _, _, data):
        start = datetime.combine(THANKSGIVING - timedelta(days=1), time(), NEW_YORK).astimezone(UTC)
        request = StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, start=start)
        minutes = [bar.timestamp.astimezone(NEW_YORK) for bar in (await call(data.get_stock_bars, request)).data["SPY"]]
        request = StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Day, start=start)
        days = [
            bar.timestamp.astimezone(NEW_YORK).date() for bar in (await call(data.get_stock_bars, request)).data["SPY"]
        ]
    assert days == [THANKSGIVING - timedelta(days=1), HALF_DAY]
    assert {minute.date() for minute in minutes} == set(days)
    assert sum(minute.date() == days[0] for minute in minutes) == 390
    assert all(time(9, 30) <= minute.time() < time(16) for minute in minutes)


async def test_the_session_begins_with_its_auction() -> None:
    opens = at_new_york(HALF_DAY, time(9, 30))
    async with exchange(opens - 30 * NANOSECONDS) as (server, clock, trading, _):
        assert not (await call(trading.get_clock)).is_open
        await run_to(server, clock, opens + 5 * NANOSECONDS)
        assert (await call(trading.get_clock)).is_open
        tape = server.venue.tape.symbols["SPY"]
        first = tape.trade_at(tape.trades.span(opens, opens + 60 * NANOSECONDS).start)
        assert (first.timestamp, first.conditions) == (opens + 1, ("O",))
        today = tape.today(server.venue.now)
        assert today is not None
        assert today.open == first.price
