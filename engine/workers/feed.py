"""The feed as a child process: one for all symbols, between the venue's data streams and the hub."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec

from engine.broker.address import VenueAddress
from engine.domain.errors import UnavailableError
from engine.garbage import spare_the_living
from engine.market.feed import Feed
from engine.market.following import Following
from engine.market.history.stores import HistoryStores, open_history
from engine.market.hours import Choice
from engine.market.indicators.live import LiveIndicators
from engine.market.indicators.sessions import day_start
from engine.market.packed import decoder
from engine.market.sources.choice import SourceChoice, VenueAccess, open_sources
from engine.processes.child import Child
from engine.streams.address import HubAddress
from engine.streams.messages import HISTORY_REQUEST, WATCH, Candles, FeedStatus, HistoryRequest, Message, Watch
from engine.streams.transport import HubTransport, open_hub

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
    said_until: dict[str, int] = {}
    """By symbol: until then, int nanoseconds UTC, its candles were said by a process that is no more; 0 = none were."""
    feed: str = "iex"
    sessions: Choice = Choice.ALL
    sources: SourceChoice = SourceChoice()
    history: HistoryStores = HistoryStores()


async def main(child: Child[Settings]) -> None:
    transport = open_hub(child.settings.hub, child.settings.name, child.clock)
    await transport.start()
    try:
        await FeedWorker(child, transport).run()
    finally:
        await transport.close()


class FeedWorker:
    """What the venue sends goes out on the hub; what is asked for there is followed and answered."""

    def __init__(self, child: Child[Settings], transport: HubTransport) -> None:
        settings = child.settings
        self._child = child
        self._transport = transport
        self._requests = transport.subscribe([HISTORY_REQUEST, WATCH])
        self._venue, self._make_sources = open_sources(
            settings.sources,
            _access(settings.venue, settings.feed),
            lambda: self._feed.market_now(),
            lambda now: self._feed.processor.normaliser.tell_time(now),
        )
        self._background: set[asyncio.Task[None]] = set()
        self._messages = self._candles = 0
        """As last told."""

    async def run(self) -> None:
        """Until the child is asked to stop. Raises what ends a source for good."""
        settings, clock = self._child.settings, self._child.clock
        async with open_history(clock, self._venue, settings.feed, settings.history) as past:
            self._past = past
            self._feed = feed = Feed(
                settings.name, settings.feed, self._venue, self._publish, clock, self._make_sources, past,
                settings.sessions,
            )  # fmt: skip
            self._indicators = LiveIndicators(feed.history.newest_closed, self._say, day_start)
            self._following = Following(feed, self._indicators)
            spare_the_living(50_000, 20, 50)
            self._spawn(self._quicken())
            try:
                await self._work()
            finally:
                await feed.close()

    async def _work(self) -> None:
        settings, feed = self._child.settings, self._feed
        works = [
            self._listen(), self._flush(), self._follow_market(), self._indicators.run(), feed.failed(),
            self._child.stopping.wait(),
        ]  # fmt: skip
        tasks = [asyncio.create_task(work) for work in works]
        place = settings.sources.recording or settings.venue.data_url
        self._child.ready(f"{settings.feed}: {len(settings.symbols)} symbols from {place}")
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for task in done:
            task.result()

    async def _quicken(self) -> None:
        """Not before the past has been read, which everybody waits for."""
        await self._feed.caught_up.wait()
        await asyncio.to_thread(decoder.load)

    def _publish(self, topic: str, message: Message) -> None:
        if isinstance(message, FeedStatus):
            looked = {figures.layer: (figures.hits, figures.hits + figures.misses) for figures in self._past.figures}
            warm = (self._indicators.warm, self._indicators.series)
            message = msgspec.structs.replace(message, history=looked, warm=warm)
        self._say(topic, message)
        if isinstance(message, Candles):
            self._indicators.take(message.timeframe, message.bars)

    def _say(self, topic: str, message: Message) -> None:
        """But for what another feed has the word of."""
        if (own := self._feed.tenure.ours(message, self._feed.tape_now)) is not None:
            self._transport.publish(topic, own)

    async def _listen(self) -> None:
        settings = self._child.settings
        await self._following.watch({symbol: settings.said_until.get(symbol, 0) for symbol in settings.symbols})
        async for batch in self._requests:
            for delivery in batch:
                message = delivery.message
                if isinstance(message, HistoryRequest):
                    self._spawn(self._feed.answer(message))
                elif isinstance(message, Watch) and message.feed in ("", self._child.settings.name):
                    await self._following.follow(message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _flush(self) -> None:
        for round_ in itertools.count(1):
            await asyncio.sleep(QUOTES_EVERY)
            self._feed.flush_quotes()
            if round_ % round(CANDLES_EVERY / QUOTES_EVERY) == 0:
                self._feed.flush_candles()
            if round_ % round(STATUS_EVERY / QUOTES_EVERY) == 0:
                await self._tell_status()

    async def _tell_status(self) -> None:
        feed, child = self._feed, self._child
        feed.flush_status()
        await self._following.settle()
        child.progress(feed.messages - self._messages)
        child.produced(feed.closed_candles - self._candles)
        self._messages, self._candles = feed.messages, feed.closed_candles
        child.expect_progress(TWO_BARS if feed.owes_candles() else 0.0)

    async def _follow_market(self) -> None:
        for round_ in itertools.count(1):
            await asyncio.sleep(MARKET_EVERY)
            try:
                await self._feed.refresh_market()
                if round_ % DAY_EVERY == 0:
                    await self._feed.refresh_day()
            except UnavailableError as error:
                log.warning("%s", error.message, extra={"remedy": error.remedy})


def _access(venue: VenueAddress, feed: str) -> VenueAccess:
    return VenueAccess(
        data_url=venue.data_url,
        trading_url=venue.trading_url,
        stocks=venue.stock_stream_url,
        crypto=venue.crypto_stream_url,
        key=venue.key,
        secret=venue.secret,
        feed=feed,
    )
