"""A feed on the real local exchange, without the hub: what it publishes is collected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from engine.broker.address import VenueAddress
from engine.clock import SystemClock
from engine.domain.market import Bar, Timeframe
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.market.feed import Feed
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.history.sources import BrokerSource
from engine.market.rest import MarketRest
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.base import Source
from engine.streams.messages import Candles, FeedStatus, Message, Quotes, QuoteState


class Running:
    """A feed and everything it said."""

    def __init__(self, venue: VenueAddress) -> None:
        self.said: list[tuple[str, Message]] = []
        rest = MarketRest(venue.data_url, venue.trading_url, venue.key, venue.secret, "iex")

        def make_sources(crypto: bool) -> list[Source]:
            url = venue.crypto_stream_url if crypto else venue.stock_stream_url
            return [AlpacaStream("stream", url, venue.key, venue.secret, seed=1)]

        clock = SystemClock()
        past = BarHistory(ChunkCache(clock, "iex"), [BrokerSource(rest)])
        self.feed = Feed(
            "feed", "iex", rest, lambda topic, message: self.said.append((topic, message)), clock, make_sources, past
        )

    def flush(self) -> None:
        self.feed.flush_quotes()
        self.feed.flush_candles()
        self.feed.flush_status()

    def closed(self, timeframe: Timeframe, symbol: str = "SPY") -> list[Bar]:
        return [
            bar
            for _, message in self.said
            if isinstance(message, Candles) and message.timeframe is timeframe
            for bar in message.bars
            if bar.closed and bar.symbol == symbol
        ]

    def quotes(self) -> dict[str, QuoteState]:
        self.flush()
        return {q.symbol: q for _, message in self.said if isinstance(message, Quotes) for q in message.quotes}

    def status(self) -> FeedStatus:
        self.flush()
        return [message for _, message in self.said if isinstance(message, FeedStatus)][-1]


@asynccontextmanager
async def running(url: str, *symbols: str) -> AsyncIterator[Running]:
    found = Running(VenueAddress.local(url, "key", "secret"))
    try:
        await found.feed.watch(dict.fromkeys(symbols, 0))
        yield found
    finally:
        await found.feed.close()


def exchange(**fields: Any) -> ExchangeServer:
    return ExchangeServer(
        ExchangeOptions(
            **{"symbols": ("SPY", "AAPL", "BTC/USD"), "recent_minutes": 2, "revisions_per_hour": 0.0, **fields}
        )
    )


async def fault(url: str, **fields: Any) -> None:
    async with aiohttp.ClientSession() as session, session.post(url + "/paddock/faults", json=fields) as answer:
        assert answer.status == 200, await answer.text()
