"""The feed as a child process: one for all symbols, between the venue's data streams and the hub."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from engine.broker.address import VenueAddress
from engine.domain.errors import UnavailableError
from engine.market.feed import Feed
from engine.market.following import Following
from engine.market.history.stores import HistoryStores, open_history
from engine.market.hours import Choice
from engine.market.indicators.live import LiveIndicators
from engine.market.indicators.sessions import day_start
from engine.market.sources.choice import SourceChoice, VenueAccess, open_sources
from engine.processes.child import Child
from engine.streams.address import HubAddress
from engine.streams.messages import HISTORY_REQUEST, WATCH, Candles, FeedStatus, HistoryRequest, Message, Watch
from engine.streams.transport import open_hub

log = logging.getLogger("feed")

QUOTES_EVERY = 0.1
CANDLES_EVERY = 0.25
STATUS_EVERY = 1.0
MARKET_EVERY = 20.0
TWO_BARS = 120.0
"""Seconds without a closed candle while some are owed, after which this process is replaced: prints have come in for
two bars of a minute and none became one, or reconnecting a mute stream has not helped.
"""
DAY_EVERY = 15
"""Rounds of looking at the market, from one look at the day to the next."""


class Settings(msgspec.Struct, kw_only=True):
    name: str
    hub: HubAddress
    venue: VenueAddress
    symbols: list[str]
    feed: str = "iex"
    sessions: Choice = Choice.ALL
    sources: SourceChoice = SourceChoice()
    history: HistoryStores = HistoryStores()


def collect_less() -> None:
    """What the start has made stays, and messages form no cycles: looking at them again and again would cost a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def main(child: Child[Settings]) -> None:
    settings, venue = child.settings, child.settings.venue
    transport = open_hub(settings.hub, settings.name, child.clock)
    await transport.start()
    requests = transport.subscribe([HISTORY_REQUEST, WATCH])
    access = VenueAccess(
        data_url=venue.data_url,
        trading_url=venue.trading_url,
        stocks=venue.stock_stream_url,
        crypto=venue.crypto_stream_url,
        key=venue.key,
        secret=venue.secret,
        feed=settings.feed,
    )
    rest, make_sources = open_sources(
        settings.sources, access, lambda: feed.market_now(), lambda now: feed.processor.normaliser.tell_time(now)
    )
    opened = AsyncExitStack()
    past = await opened.enter_async_context(open_history(child.clock, rest, settings.feed, settings.history))

    def publish(topic: str, message: Message) -> None:
        if isinstance(message, FeedStatus):
            looked = {figures.layer: (figures.hits, figures.hits + figures.misses) for figures in past.figures}
            message = msgspec.structs.replace(message, history=looked, warm=(indicators.warm, indicators.series))
        say(topic, message)
        if isinstance(message, Candles):
            indicators.take(message.timeframe, message.bars)

    def say(topic: str, message: Message) -> None:
        """But for what another feed has the word of."""
        if (own := feed.tenure.ours(message, feed.tape_now)) is not None:
            transport.publish(topic, own)

    feed = Feed(settings.name, settings.feed, rest, publish, child.clock, make_sources, past, settings.sessions)
    indicators = LiveIndicators(feed.newest_closed, say, day_start)
    following = Following(feed, indicators)
    background: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        background.add(task)
        task.add_done_callback(background.discard)

    async def listen() -> None:
        await following.watch(settings.symbols)
        async for batch in requests:
            for delivery in batch:
                message = delivery.message
                if isinstance(message, HistoryRequest):
                    spawn(feed.answer(message))
                elif isinstance(message, Watch) and message.feed in ("", settings.name):
                    await following.follow(message)

    async def flush() -> None:
        counted, closed, round_ = 0, 0, 0
        while True:
            await asyncio.sleep(QUOTES_EVERY)
            round_ += 1
            feed.flush_quotes()
            if round_ % round(CANDLES_EVERY / QUOTES_EVERY) == 0:
                feed.flush_candles()
            if round_ % round(STATUS_EVERY / QUOTES_EVERY) == 0:
                feed.flush_status()
                await following.settle()
                child.progress(feed.messages - counted)
                child.produced(feed.closed_candles - closed)
                counted, closed = feed.messages, feed.closed_candles
                child.expect_progress(TWO_BARS if feed.owes_candles() else 0.0)

    async def follow_market() -> None:
        for round_ in itertools.count(1):
            await asyncio.sleep(MARKET_EVERY)
            try:
                await feed.refresh_market()
                if round_ % DAY_EVERY == 0:
                    await feed.refresh_day()
            except UnavailableError as error:
                log.warning("%s", error.message, extra={"remedy": error.remedy})

    collect_less()
    works = [listen(), flush(), follow_market(), indicators.run(), feed.failed(), child.stopping.wait()]
    tasks = [asyncio.create_task(work) for work in works]
    child.ready(f"{settings.feed}: {len(settings.symbols)} symbols from {settings.sources.recording or venue.data_url}")
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await feed.close()
    await opened.aclose()
    await transport.close()
    for task in done:
        task.result()
