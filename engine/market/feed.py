"""The feed: sources in, candles and conflated quotes out, history on request. Everything between socket and hub.

After each (re)connect the trades that were missed are read over REST first, and what streams in meanwhile waits: so
candles have no hole and, because trades are known by id, no double. A source that is mute is connected anew; when it
stays away another one stands in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS, Bar, Timeframe, is_crypto
from engine.market.catch_up import CatchUp
from engine.market.history.answer import History
from engine.market.history.ranges import BarHistory
from engine.market.hours import Choice
from engine.market.line import Line, MakeSource
from engine.market.owed import Owed
from engine.market.processor import Processor
from engine.market.status import Rate, status_of
from engine.market.tenure import Tenure
from engine.market.trading_hours import TradingHours
from engine.market.venue import VenueData
from engine.streams import messages as said
from engine.streams.messages import (
    CANDLES,
    FEED_GAPS,
    FEED_HEALTH,
    FEED_STATUS,
    HISTORY_REPLY,
    QUOTES,
    FeedStatus,
    Gaps,
    HistoryRequest,
    Message,
    StreamHealth,
)

log = logging.getLogger(__name__)

CATCH_UP_WAIT = 10.0
QUIET = 5.0
"""Seconds without data after which the venue's clock closes candles, because the tape does not."""

Publish = Callable[[str, Message], None]


class Feed:
    """`make_source` gives, for stocks and for crypto, the sources in the order in which they are to be used."""

    def __init__(
        self,
        name: str,
        source: str,
        rest: VenueData,
        publish: Publish,
        clock: Clock,
        make_sources: MakeSource,
        past: BarHistory,
        sessions: Choice = Choice.ALL,
    ) -> None:
        self.market_open = True
        self.market_time = 0
        self.closed_candles = 0
        self.processor = Processor(self._give_out)
        self._name = name
        self._source = source
        self._rest = rest
        self._publish = publish
        self._clock = clock
        self._make_sources = make_sources
        self._lines: dict[bool, Line] = {}
        self._hours = TradingHours(rest, sessions)
        self._candles = self.processor.candles
        self.history = History(past, self._candles, self._asked_time)
        self._missed = CatchUp(rest, self.processor, self._give_out)
        self.caught_up = asyncio.Event()
        """Whether what was missed has been read once, or was tried."""
        self._unknown: set[str] = set()
        self.tenure = Tenure()
        self._owed = Owed()
        self._rate = Rate(clock)
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def tape_now(self) -> int:
        """As far as the tape, or in a quiet market the venue's clock, has come."""
        return max(self.processor.normaliser.newest, self.market_now())

    @property
    def messages(self) -> int:
        return self.processor.messages

    def owes_candles(self) -> bool:
        """Asked once a second."""
        return self.market_open and self._owed.look(self._lines.values(), self.closed_candles)

    async def failed(self) -> None:
        """Returns never; raises what ended a source for good, such as refused keys."""
        await self._failed

    async def watch(self, symbols: Mapping[str, int]) -> None:
        """Those the venue does not know are told in the status and left out. Of new ones the candles that end after the time
        beside them are given out, too; 0 = only those that are still to come.
        """
        wanted = [symbol for symbol in symbols if symbol not in self._candles]
        found = await asyncio.gather(*(self._is_known(symbol) for symbol in wanted))
        known = [symbol for symbol, is_known in zip(wanted, found, strict=True) if is_known]
        for symbol in known:
            self.processor.watch(symbol, self._hours.of(symbol))
        self._missed.owe({symbol: since for symbol in known if (since := symbols[symbol])})
        for crypto in (False, True):
            names = [symbol for symbol in known if is_crypto(symbol) is crypto]
            if names and crypto in self._lines:
                await self._join(self._lines[crypto], names)
            elif names:
                self._lines[crypto] = self._new_line(crypto, names)

    async def unwatch(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            line = self._lines.get(is_crypto(symbol))
            if self.processor.unwatch(symbol) and line is not None:
                await line.unsubscribe([symbol])
            self._missed.forget(symbol)

    async def answer(self, request: HistoryRequest) -> None:
        if request.timeframe is Timeframe.SECOND_1:
            await self._wait_until_caught_up()
        self._publish(HISTORY_REPLY + request.requester, await self.history.answer(request))

    async def _asked_time(self) -> int:
        """The market's time as it is known; the venue is asked while the feed has heard nothing."""
        now = max(self.processor.normaliser.newest, self.market_time)
        if now <= 0:
            now, _ = await self._rest.market_time()
        return now

    async def _wait_until_caught_up(self) -> None:
        try:
            async with asyncio.timeout(CATCH_UP_WAIT):
                await self.caught_up.wait()
        except TimeoutError:
            log.warning("The first trades have not been read yet; the history of seconds is short.")

    def flush_quotes(self) -> None:
        states = self.processor.board.drain()
        if states:
            self._publish(QUOTES, said.Quotes(states))

    def flush_candles(self) -> None:
        """Growing candles, by timeframe."""
        self._give_out(bar for candles in self._candles.values() for bar in candles.growing())

    def flush_status(self) -> None:
        for line in self._lines.values():
            for change in line.look(self.market_open, self.market_now()):
                self._publish(FEED_HEALTH, self._health(line, change))
        if gaps := self._missed.drain_gaps():
            self._publish(FEED_GAPS, Gaps(self._name, gaps))
        lines = list(self._lines.values())
        status = status_of(
            self._name, self._source, lines, self.processor, self._rate, self._missed.filled, self._unknown
        )
        silent = [symbol for symbol in self.tenure.silent if self._is_caught_up(symbol)]
        self._publish(FEED_STATUS, msgspec.structs.replace(status, standing_by=silent, behind=self._behind(status)))

    def market_now(self) -> int:
        """The venue's time by what it last said; 0 = it did not say yet."""
        return self._hours.now(self.market_time, self._clock.monotonic())

    def _is_caught_up(self, symbol: str) -> bool:
        line = self._lines.get(is_crypto(symbol))
        return symbol in self._unknown or (symbol in self._candles and line is not None and line.caught_up)

    def _behind(self, status: FeedStatus) -> float:
        newest = self.processor.normaliser.newest
        if not self.market_open or not newest or not status.message_rate:
            return 0.0
        return max(self.market_now() - newest, 0) / NANOSECONDS

    async def refresh_market(self) -> None:
        """Ask for the venue's time; while the tape is quiet it closes candles."""
        self.market_time, self.market_open = await self._rest.market_time()
        self._hours.told_at(self._clock.monotonic())
        self.processor.normaliser.tell_time(self.market_time)
        last = max((line.last_at for line in self._lines.values()), default=-1.0)
        if last >= 0 and asyncio.get_running_loop().time() - last > QUIET:
            self.processor.close_before(self.market_time)

    async def refresh_day(self) -> None:
        """Ask for the previous close, the day's volume and its hours again: a new day may have begun."""
        await self._hours.read(self.market_time)
        for symbol, snapshot in (await self._rest.snapshots(list(self._candles))).items():
            if symbol in self._candles:
                self._missed.seed_board(symbol, snapshot)

    async def close(self) -> None:
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        await self._rest.close()

    def _new_line(self, crypto: bool, names: list[str]) -> Line:
        async def catch_up() -> None:
            try:
                await self._catch_up([symbol for symbol in self._candles if is_crypto(symbol) is crypto])
            finally:
                self.caught_up.set()

        return Line(self._make_sources(crypto), names, self.processor, catch_up, self._line_ended)

    async def _join(self, line: Line, names: list[str]) -> None:
        """Symbols for a source that runs."""
        with line.hold():
            await line.subscribe(names)
            if not line.connected:
                return
            try:
                await self._catch_up(names)
            except PaddockError as error:
                log.warning("The past of %s cannot be read: %s", ", ".join(names), error.message)

    def _line_ended(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _give_out(self, bars: Iterable[Bar]) -> None:
        by_timeframe: dict[Timeframe, list[Bar]] = {}
        for bar in bars:
            by_timeframe.setdefault(bar.timeframe, []).append(bar)
            self.closed_candles += bar.closed
        for timeframe, some in by_timeframe.items():
            self._publish(CANDLES + timeframe.value, said.Candles(timeframe, some))

    def _health(self, line: Line, change: tuple[str, str, str, str]) -> StreamHealth:
        channel, was, now, words = change
        log.log(logging.WARNING if now in said.UNWELL else logging.INFO, "%s", words)
        return StreamHealth(
            feed=self._name, source=line.name, channel=channel, was=was, now=now, words=words, at=self._clock.now()
        )

    async def _catch_up(self, symbols: list[str]) -> None:
        self._missed.begin(symbols)
        await self.refresh_market()
        if self._hours.wanted:
            await self._hours.read(self.market_time)
        await self._missed.read(symbols, self.market_time)

    async def _is_known(self, symbol: str) -> bool:
        try:
            known = await self._rest.knows(symbol)
        except PaddockError as error:
            log.warning("%s cannot be looked up: %s", symbol, error.message)
            known = True
        if known:
            self._unknown.discard(symbol)
        else:
            self._unknown.add(symbol)
            log.error("The venue does not know %s.", symbol, extra={"remedy": "Take it off the watch list."})
        return known
