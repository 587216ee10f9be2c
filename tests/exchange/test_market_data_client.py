"""alpaca-py's historical data clients against the exchange, over a real socket."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoSnapshotRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeServer
from tests.exchange.conftest import call
from tests.waiting import until


@pytest.fixture
def stocks(exchange: ExchangeServer) -> Iterator[StockHistoricalDataClient]:
    client = StockHistoricalDataClient("key", "secret", url_override=exchange.url)
    client._session.trust_env = False
    yield client
    client._session.close()


@pytest.fixture
def crypto(exchange: ExchangeServer) -> Iterator[CryptoHistoricalDataClient]:
    client = CryptoHistoricalDataClient(url_override=exchange.url)
    client._session.trust_env = False
    yield client
    client._session.close()


def now(exchange: ExchangeServer) -> datetime:
    return datetime.fromtimestamp(exchange.venue.now / NANOSECONDS, UTC)


async def minute_bars(stocks: StockHistoricalDataClient, **fields: Any) -> list[Any]:
    request = StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, **fields)
    return list((await call(stocks.get_stock_bars, request)).data.get("SPY", []))


async def test_minute_bars_reach_back_thirty_days_without_a_gap_or_a_jump(
    exchange: ExchangeServer, stocks: StockHistoricalDataClient
) -> None:
    bars = await minute_bars(stocks, start=now(exchange) - timedelta(days=30), adjustment=Adjustment.RAW)
    assert len(bars) > 43_000
    steps = {b.timestamp - a.timestamp for a, b in itertools.pairwise(bars)}
    assert steps == {timedelta(minutes=1)}
    moves = [abs(b.open / a.close - 1) for a, b in itertools.pairwise(bars)]
    assert max(moves) < 0.01
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(bar.volume > 0 and bar.trade_count > 0 and bar.vwap > 0 for bar in bars)


async def test_daily_bars_reach_back_two_years_and_end_today(
    exchange: ExchangeServer, stocks: StockHistoricalDataClient
) -> None:
    request = StockBarsRequest(
        symbol_or_symbols=["SPY", "AAPL"], timeframe=TimeFrame.Day, start=now(exchange) - timedelta(days=720)
    )
    bars = (await call(stocks.get_stock_bars, request)).data
    for symbol in ("SPY", "AAPL"):
        assert len(bars[symbol]) >= 720
        moves = [abs(b.open / a.close - 1) for a, b in zip(bars[symbol], bars[symbol][1:], strict=False)]
        assert max(moves) < 0.02
    trade = exchange.venue.tape.symbols["SPY"].trade
    assert trade is not None
    assert bars["SPY"][-1].close == pytest.approx(trade.price, rel=0.01)


@pytest.mark.parametrize(
    ("amount", "unit", "minutes"),
    [
        (5, TimeFrameUnit.Minute, 5),
        (7, TimeFrameUnit.Minute, 7),
        (1, TimeFrameUnit.Hour, 60),
        (4, TimeFrameUnit.Hour, 240),
    ],
)
async def test_longer_bars_are_joined_from_minutes(
    exchange: ExchangeServer, stocks: StockHistoricalDataClient, amount: int, unit: TimeFrameUnit, minutes: int
) -> None:
    start = now(exchange).replace(hour=5, minute=0, second=0, microsecond=0) - timedelta(days=3)
    end = start + timedelta(hours=8)
    single = await minute_bars(stocks, start=start, end=end - timedelta(minutes=1))
    request = StockBarsRequest(
        symbol_or_symbols="SPY", timeframe=TimeFrame(amount, unit), start=start, end=end - timedelta(minutes=1)
    )
    joined = (await call(stocks.get_stock_bars, request)).data["SPY"]
    assert sum(bar.volume for bar in joined) == pytest.approx(sum(bar.volume for bar in single))
    first = [bar for bar in single if bar.timestamp < joined[0].timestamp + timedelta(minutes=minutes)]
    assert joined[0].open == first[0].open
    assert joined[0].close == first[-1].close
    assert joined[0].high == max(bar.high for bar in first)


async def test_trades_and_quotes_exist_from_the_start_and_in_order(
    exchange: ExchangeServer, stocks: StockHistoricalDataClient
) -> None:
    start = now(exchange) - timedelta(minutes=10)
    trades = (await call(stocks.get_stock_trades, StockTradesRequest(symbol_or_symbols="SPY", start=start))).data
    quotes = (await call(stocks.get_stock_quotes, StockQuotesRequest(symbol_or_symbols="SPY", start=start))).data
    for rows in (trades["SPY"], quotes["SPY"]):
        assert len(rows) > 40
        assert [row.timestamp for row in rows] == sorted(row.timestamp for row in rows)
    assert all(quote.bid_price < quote.ask_price for quote in quotes["SPY"])


async def test_latest_values_and_snapshots_agree(exchange: ExchangeServer, stocks: StockHistoricalDataClient) -> None:
    both = ["SPY", "AAPL"]
    trades = await call(stocks.get_stock_latest_trade, StockLatestTradeRequest(symbol_or_symbols=both))
    quotes = await call(stocks.get_stock_latest_quote, StockLatestQuoteRequest(symbol_or_symbols=both))
    bars = await call(stocks.get_stock_latest_bar, StockLatestBarRequest(symbol_or_symbols=both))
    shots = await call(stocks.get_stock_snapshot, StockSnapshotRequest(symbol_or_symbols=both))
    for symbol in both:
        assert quotes[symbol].bid_price < quotes[symbol].ask_price
        assert trades[symbol].price == pytest.approx(quotes[symbol].ask_price, rel=0.01)
        assert bars[symbol].low <= bars[symbol].close <= bars[symbol].high
        shot = shots[symbol]
        assert shot.previous_daily_bar.timestamp < shot.daily_bar.timestamp <= shot.minute_bar.timestamp
        assert shot.daily_bar.low <= shot.latest_trade.price <= shot.daily_bar.high


async def test_crypto_needs_no_keys(crypto: CryptoHistoricalDataClient) -> None:
    request = CryptoBarsRequest(symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Hour, limit=5)
    assert (await call(crypto.get_crypto_bars, request)).data["BTC/USD"]
    shot = (await call(crypto.get_crypto_snapshot, CryptoSnapshotRequest(symbol_or_symbols="BTC/USD")))["BTC/USD"]
    assert shot.latest_trade.price > 0
    books = await call(crypto.get_crypto_latest_orderbook, CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD"))
    assert books["BTC/USD"].bids[0].price < books["BTC/USD"].asks[0].price


@pytest.mark.parametrize("path", ["/stocks/trades", "/stocks/bars"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
async def test_pages_join_to_the_whole(
    stocks: StockHistoricalDataClient, exchange: ExchangeServer, path: str, sort: str
) -> None:
    moment = now(exchange)
    query = {
        "symbols": "SPY,AAPL",
        "timeframe": "1Min",
        "start": (moment - timedelta(minutes=5)).isoformat(),
        "end": moment.isoformat(),
        "sort": sort,
    }
    table = path.rpartition("/")[2]
    whole = (await call(stocks.get, path, query))[table]
    joined: dict[str, list[Any]] = {}
    token = None
    while True:
        page = await call(stocks.get, path, query | {"limit": 3} | ({"page_token": token} if token else {}))
        assert sum(len(rows) for rows in page[table].values()) <= 3
        for symbol, rows in page[table].items():
            joined.setdefault(symbol, []).extend(rows)
        token = page["next_page_token"]
        if token is None:
            break
    assert joined == whole
    assert list(whole) == ["AAPL", "SPY"]


async def test_unknown_symbols_have_no_data_and_bad_requests_are_refused(stocks: StockHistoricalDataClient) -> None:
    assert await call(stocks.get, "/stocks/bars", {"symbols": "ZZZZ", "timeframe": "1Min"}) == {
        "bars": {},
        "next_page_token": None,
    }
    for query in (
        {},
        {"symbols": "SPY", "timeframe": "61Min"},
        {"symbols": "SPY", "timeframe": "1Min", "start": "yesterday"},
        {"symbols": "SPY", "timeframe": "1Min", "limit": "0"},
        {"symbols": "SPY", "timeframe": "1Min", "page_token": "!!!"},
        {"symbols": "SPY", "timeframe": "1Min", "start": "9999-12-31T23:59:59+00:00"},
        {"symbols": "SPY", "timeframe": "1Min", "sort": "up"},
    ):
        with pytest.raises(APIError) as caught:
            await call(stocks.get, "/stocks/bars", query)
        assert 400 <= caught.value.status_code < 500


async def test_the_minute_that_ends_becomes_a_bar_made_of_its_trades(exchange: ExchangeServer) -> None:
    tape = exchange.venue.tape.symbols["SPY"]
    bar = await until(lambda: tape.last_minute)
    rows = [tape.trades.row(i) for i in tape.trades.span(bar.timestamp, bar.timestamp + 60 * NANOSECONDS - 1)]
    assert bar.trade_count == len(rows)
    assert (bar.open, bar.close) == (rows[0][1], rows[-1][1])
    assert (bar.high, bar.low) == (max(row[1] for row in rows), min(row[1] for row in rows))
    assert bar.volume == pytest.approx(sum(row[2] for row in rows))


@pytest.mark.parametrize("path", ["bars?timeframe=1Min", "trades?limit=5", "quotes?limit=5"])
async def test_one_symbol_can_be_named_in_the_path(exchange: ExchangeServer, path: str) -> None:
    key = path.partition("?")[0]
    headers = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
    async with aiohttp.ClientSession(exchange.url, headers=headers) as session:
        async with session.get(f"/v2/stocks/SPY/{path}") as answer:
            body = await answer.json()
            assert (body["symbol"], set(body)) == ("SPY", {"symbol", key, "next_page_token"})
            assert body[key][0]["t"]
        async with session.get(f"/v2/stocks/SPY/{key}/latest") as answer:
            assert (await answer.json())[key[:-1]]["t"]
        async with session.get("/v2/stocks/SPY/snapshot") as answer:
            assert (await answer.json())["latestTrade"]["p"] > 0
        async with session.get("/v2/stocks/NONE/snapshot") as answer:
            assert answer.status == 404
