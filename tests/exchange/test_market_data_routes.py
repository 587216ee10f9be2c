"""Every method of alpaca-py's data clients, and the routes that clients in other languages use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.enums import Adjustment, DataFeed, MarketType, MostActivesBy
from alpaca.data.historical import CryptoHistoricalDataClient, NewsClient, ScreenerClient, StockHistoricalDataClient
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
    MarketMoversRequest,
    MostActivesRequest,
    NewsRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from yarl import URL

from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.server.timeframes import parse_timeframe
from engine.exchange.sessions import at_new_york, new_york
from tests.exchange.conftest import call
from tests.waiting import until

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
alpaca_frames = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")
"""For tests that make alpaca-py's data frames: it calls pandas as pandas 3.1 no longer wants to be called."""
PAIRS = ("BTC/USD", "BTC%2FUSD", "BTCUSD")


@contextmanager
def client(kind: type[Any], url: str) -> Iterator[Any]:
    found = kind("key", "secret", url_override=url)
    found._session.trust_env = False
    yield found
    found._session.close()


@pytest.fixture
async def get(exchange: ExchangeServer) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession(headers=KEYS) as session:

        async def fetch(path: str, status: int = 200, **query: str) -> Any:
            address = URL(exchange.url + path, encoded=True).update_query(query)
            async with session.get(address) as answer:
                assert answer.status == status, await answer.text()
                return await answer.json()

        yield fetch


def now(exchange: ExchangeServer) -> datetime:
    return datetime.fromtimestamp(exchange.venue.now / NANOSECONDS, UTC)


@alpaca_frames
async def test_every_stock_method(exchange: ExchangeServer) -> None:
    since = now(exchange) - timedelta(minutes=10)
    with client(StockHistoricalDataClient, exchange.url) as stocks:
        two: dict[str, Any] = {"symbol_or_symbols": ["SPY", "AAPL"], "feed": DataFeed.SIP}
        bars = await call(
            stocks.get_stock_bars,
            StockBarsRequest(
                **two,
                timeframe=TimeFrame.Minute,
                start=since,
                adjustment=Adjustment.ALL,
                asof="2025-01-02",
                currency="USD",
            ),
        )
        assert bars.df.index.names == ["symbol", "timestamp"]
        trades = await call(stocks.get_stock_trades, StockTradesRequest(**two, start=since, limit=10))
        assert sum(len(rows) for rows in trades.data.values()) == 10
        quotes = await call(stocks.get_stock_quotes, StockQuotesRequest(**two, start=since, limit=10))
        assert list(quotes.data) == ["AAPL"]
        for method, request in (
            (stocks.get_stock_latest_trade, StockLatestTradeRequest),
            (stocks.get_stock_latest_quote, StockLatestQuoteRequest),
            (stocks.get_stock_latest_bar, StockLatestBarRequest),
            (stocks.get_stock_snapshot, StockSnapshotRequest),
        ):
            assert set(await call(method, request(**two))) == {"SPY", "AAPL"}


async def test_every_crypto_method(exchange: ExchangeServer) -> None:
    since = now(exchange) - timedelta(minutes=10)
    one = {"symbol_or_symbols": "BTC/USD"}
    with client(CryptoHistoricalDataClient, exchange.url) as crypto:
        bars = CryptoBarsRequest(**one, timeframe=TimeFrame.Minute, start=since)
        assert (await call(crypto.get_crypto_bars, bars)).data["BTC/USD"]
        assert (await call(crypto.get_crypto_trades, CryptoTradesRequest(**one, start=since))).data["BTC/USD"]
        assert (await call(crypto.get_crypto_quotes, CryptoQuoteRequest(**one, start=since))).data["BTC/USD"]
        for method, request in (
            (crypto.get_crypto_latest_trade, CryptoLatestTradeRequest),
            (crypto.get_crypto_latest_quote, CryptoLatestQuoteRequest),
            (crypto.get_crypto_latest_bar, CryptoLatestBarRequest),
            (crypto.get_crypto_latest_orderbook, CryptoLatestOrderbookRequest),
            (crypto.get_crypto_snapshot, CryptoSnapshotRequest),
        ):
            assert list(await call(method, request(**one))) == ["BTC/USD"]


async def test_the_screener_ranks_the_day_and_there_is_no_news(exchange: ExchangeServer) -> None:
    with client(ScreenerClient, exchange.url) as screener:
        for by, key in ((MostActivesBy.VOLUME, "volume"), (MostActivesBy.TRADES, "trade_count")):
            found = (await call(screener.get_most_actives, MostActivesRequest(by=by, top=5))).most_actives
            assert {row.symbol for row in found} == {"SPY", "AAPL"}
            assert getattr(found[0], key) >= getattr(found[1], key) > 0
        for market, symbols in ((MarketType.STOCKS, {"SPY", "AAPL"}), (MarketType.CRYPTO, {"BTC/USD"})):
            movers = await call(screener.get_market_movers, MarketMoversRequest(market_type=market))
            assert {move.symbol for move in [*movers.gainers, *movers.losers]} <= symbols
            assert all(move.percent_change > 0 for move in movers.gainers)
            assert all(move.percent_change < 0 for move in movers.losers)
    with client(NewsClient, exchange.url) as news:
        assert (await call(news.get_news, NewsRequest(symbols="SPY"))).data["news"] == []


async def test_a_mover_moves_from_the_close_before(exchange: ExchangeServer, get: Any) -> None:
    found = await get("/v1beta1/screener/stocks/movers", top="1")
    (move,) = (found["gainers"] + found["losers"])[:1]
    shot = await get(f"/v2/stocks/{move['symbol']}/snapshot")
    assert move["price"] - move["change"] == pytest.approx(shot["prevDailyBar"]["c"], abs=0.001)


@alpaca_frames
async def test_before_the_tape_there_are_bars_and_no_single_trades_or_quotes(exchange: ExchangeServer) -> None:
    day = now(exchange) - timedelta(days=5)
    with client(StockHistoricalDataClient, exchange.url) as stocks:
        window: dict[str, Any] = {"symbol_or_symbols": "SPY", "start": day, "end": day + timedelta(hours=1)}
        assert (await call(stocks.get_stock_bars, StockBarsRequest(**window, timeframe=TimeFrame.Minute))).data["SPY"]
        assert (await call(stocks.get_stock_trades, StockTradesRequest(**window))).data == {}
        quotes = await call(stocks.get_stock_quotes, StockQuotesRequest(**window))
        assert quotes.df.shape == (0, 0)


LENGTHS = [
    *(TimeFrame(count, TimeFrameUnit.Minute) for count in range(1, 60)),
    *(TimeFrame(count, TimeFrameUnit.Hour) for count in range(1, 24)),
    TimeFrame.Day,
    TimeFrame.Week,
    *(TimeFrame(count, TimeFrameUnit.Month) for count in (1, 2, 3, 6, 12)),
]


async def test_every_length_of_bar_is_its_minutes_or_days_joined(exchange: ExchangeServer) -> None:
    start = at_new_york(new_york(exchange.venue.now).date() - timedelta(days=2), time())
    with client(StockHistoricalDataClient, exchange.url) as stocks:

        async def bars(length: TimeFrame, since: int) -> list[Any]:
            window = {"start": moment(since), "end": moment(start + 86_400 * NANOSECONDS - 1)}
            request = StockBarsRequest(symbol_or_symbols="SPY", timeframe=length, **window)
            return list((await call(stocks.get_stock_bars, request)).data["SPY"])

        year = at_new_york(date(new_york(start).year, 1, 1), time())
        singles = {True: await bars(TimeFrame.Minute, start), False: await bars(TimeFrame.Day, year)}
        for length in LENGTHS:
            intraday = length.unit_value in (TimeFrameUnit.Minute, TimeFrameUnit.Hour)
            known = parse_timeframe(length.value)
            joined = await bars(length, start if intraday else year)
            single = [bar for bar in singles[intraday] if bar.timestamp >= joined[0].timestamp]
            assert sum(bar.volume for bar in joined) == pytest.approx(sum(bar.volume for bar in single)), length.value
            assert joined[0].open == single[0].open
            assert joined[-1].close == single[-1].close
            assert max(bar.high for bar in joined) == max(bar.high for bar in single)
            starts = [round(bar.timestamp.timestamp()) * NANOSECONDS for bar in joined]
            assert starts == [known.start_of(at) for at in starts]


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / NANOSECONDS, UTC)


@pytest.mark.parametrize("text", ["0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "1Year", "Min", "1min"])
async def test_other_lengths_are_refused(get: Any, text: str) -> None:
    assert (await get("/v2/stocks/bars", 400, symbols="SPY", timeframe=text))["code"] == 40010000


@pytest.mark.parametrize("short", ["5T", "1H", "1D", "1W", "1M"])
async def test_short_names_of_lengths_are_read(get: Any, short: str) -> None:
    assert "bars" in await get("/v2/stocks/bars", symbols="SPY", timeframe=short)


@pytest.mark.parametrize("pair", PAIRS)
async def test_one_pair_can_be_named_in_the_path(get: Any, pair: str) -> None:
    for table in ("bars", "trades", "quotes"):
        body = await get(f"/v1beta3/crypto/us/{pair}/{table}", limit="2")
        assert set(body) == {"symbol", table, "next_page_token"}
        assert (body["symbol"], len(body[table])) == ("BTC/USD", 2)
    for table in ("bars", "trades", "quotes", "orderbooks"):
        assert (await get(f"/v1beta3/crypto/us/{pair}/latest/{table}"))[table[:-1]]["t"]
    assert (await get(f"/v1beta3/crypto/us/{pair}/snapshot"))["latestTrade"]["p"] > 0


async def test_a_pair_that_is_not_traded_has_nothing(get: Any) -> None:
    assert (await get("/v1beta3/crypto/us/DOGE/USD/bars"))["bars"] == []
    await get("/v1beta3/crypto/us/DOGE/USD/latest/trades", 404)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"feed": "iex"}, 200),
        ({"feed": "sip", "asof": "-", "currency": "EUR"}, 200),
        ({"adjustment": "split,dividend"}, 200),
        ({"feed": "none"}, 400),
        ({"asof": "yesterday"}, 422),
        ({"currency": "dollars"}, 400),
        ({"adjustment": "some"}, 400),
    ],
)
async def test_feed_currency_adjustment_and_day_are_read(get: Any, query: dict[str, str], status: int) -> None:
    for path in ("/v2/stocks/bars", "/v2/stocks/snapshots", "/v2/stocks/trades/latest"):
        await get(path, status, symbols="SPY", **query)


async def test_without_sip_its_history_is_refused() -> None:
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), sip=False)) as exchange:
        with client(StockHistoricalDataClient, exchange.url) as stocks:
            one: dict[str, Any] = {"symbol_or_symbols": "SPY", "timeframe": TimeFrame.Minute}
            assert (await call(stocks.get_stock_bars, StockBarsRequest(**one, feed=DataFeed.IEX))) is not None
            with pytest.raises(APIError) as caught:
                await call(stocks.get_stock_bars, StockBarsRequest(**one, feed=DataFeed.SIP))
            assert (caught.value.status_code, caught.value.code) == (403, 42210000)


async def test_codes_are_explained(get: Any) -> None:
    exchanges = await get("/v2/stocks/meta/exchanges")
    trades = await get("/v2/stocks/meta/conditions/trade", tape="A")
    quotes = await get("/v2/stocks/meta/conditions/quote", tape="C")
    shot = await get("/v2/stocks/SPY/snapshot")
    assert shot["latestTrade"]["x"] in exchanges
    assert set(shot["latestTrade"]["c"]) <= set(trades)
    assert set(shot["latestQuote"]["c"]) <= set(quotes)
    await get("/v2/stocks/meta/conditions/bar", 404, tape="A")
    await get("/v2/stocks/meta/conditions/trade", 400)
    await get("/v2/stocks/meta/conditions/trade", 422, tape="Z")


async def test_a_market_that_never_closes_has_no_auctions(get: Any) -> None:
    assert await get("/v2/stocks/auctions", symbols="SPY,AAPL") == {"auctions": {}, "next_page_token": None}


async def test_auctions_of_a_recorded_day_are_served(shared_data: Path) -> None:
    day = "2013-10-07"
    options = ExchangeOptions(symbols=("IBM", "AIG"), replay=shared_data, day=day, speed=100_000.0)
    closed = at_new_york(date.fromisoformat(day), time(16, 30))
    async with ExchangeServer(options) as server, aiohttp.ClientSession(server.url, headers=KEYS) as session:
        await until(lambda: server.venue.now > closed)
        query = {"symbols": "IBM,AIG", "start": day, "limit": "1"}
        async with session.get("/v2/stocks/auctions", params=query) as answer:
            first = await answer.json()
        async with session.get(
            "/v2/stocks/auctions", params=query | {"page_token": first["next_page_token"]}
        ) as answer:
            second = await answer.json()
    assert (list(first["auctions"]), list(second["auctions"])) == (["AIG"], ["IBM"])
    (row,) = second["auctions"]["IBM"]
    assert row["d"] == day
    assert {"x": "N", "p": 182.0, "s": 138_862.0, "c": "O"}.items() <= max(row["o"], key=lambda p: p["s"]).items()
    assert {"x": "N", "p": 182.01, "s": 151_665.0, "c": "6"}.items() <= max(row["c"], key=lambda p: p["s"]).items()
