"""The feed: streams in, candles and conflated quotes out, history on request. Everything between socket and hub.

A batch is handled without an await per message. After each (re)connect the trades that were missed are read over REST
first, and what streams in meanwhile waits: so candles have no hole and, because trades are known by id, no double.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS, Bar, Timeframe, is_crypto
from engine.market.board import Board
from engine.market.candles import Candles
from engine.market.catch_up import CatchUp
from engine.market.frames import Frame
from engine.market.history.answer import History
from engine.market.history.ranges import BarHistory
from engine.market.normaliser import Normaliser
from engine.market.rest import MarketRest
from engine.market.stream import DataStream, StreamState
from engine.streams import messages as said
from engine.streams.messages import CANDLES, FEED_STATUS, HISTORY_REPLY, QUOTES, FeedStatus, HistoryRequest, Message

log = logging.getLogger(__name__)

SILENCE = 15.0
"""Seconds without a frame, in an open market, after which the socket is taken for dead."""
CATCH_UP_WAIT = 10.0
MOST_HELD = 20_000
"""Frames that wait while missed trades are read; beyond it they are worked on at once."""
QUIET = 5.0
"""Seconds without data after which the venue's clock closes candles, because the tape does not."""

Publish = Callable[[str, Message], None]


class Feed:
    def __init__(
        self,
        name: str,
        source: str,
        rest: MarketRest,
        publish: Publish,
        clock: Clock,
        make_stream: Callable[..., DataStream],
        past: BarHistory,
    ) -> None:
        self.messages = 0
        self._name = name
        self._source = source
        self._rest = rest
        self._publish = publish
        self._clock = clock
        self._make_stream = make_stream
        self._streams: dict[bool, DataStream] = {}
        self._tasks: dict[bool, asyncio.Task[None]] = {}
        self._candles: dict[str, Candles] = {}
        self._board = Board()
        self._normaliser = Normaliser()
        self.history = History(past, self._candles)
        self._held: dict[bool, list[Frame]] = {}
        self._holders = {False: 0, True: 0}
        self._missed = CatchUp(rest, self._candles, self._board, self._normaliser, self._give_out)
        self._caught_up = asyncio.Event()
        self._unknown: set[str] = set()
        self._rejected_frames = 0
        self._last_at = -1.0
        self._closed_to = 0
        """The second of the tape up to which candles have been closed."""
        self._rate_from = (clock.monotonic(), 0)
        self.market_open = True
        self.market_time = 0
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def failed(self) -> None:
        """Returns never; raises what ended a stream for good, such as refused keys."""
        await self._failed

    async def watch(self, symbols: Iterable[str]) -> None:
        """Those the venue does not know are told in the status and left out."""
        wanted = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._candles]
        found = await asyncio.gather(*(self._is_known(symbol) for symbol in wanted))
        known = [symbol for symbol, is_known in zip(wanted, found, strict=True) if is_known]
        self._candles.update((symbol, Candles(symbol)) for symbol in known)
        for crypto in (False, True):
            names = [symbol for symbol in known if is_crypto(symbol) is crypto]
            if names and crypto in self._streams:
                await self._join(crypto, names)
            elif names:
                self._start_stream(crypto, names)

    async def _join(self, crypto: bool, names: list[str]) -> None:
        """Symbols for a stream that runs."""
        stream = self._streams[crypto]
        with self._hold(crypto):
            await stream.subscribe(names)
            if stream.state is not StreamState.SUBSCRIBED:
                return
            try:
                await self._catch_up(names)
            except PaddockError as error:
                log.warning("The past of %s cannot be read: %s", ", ".join(names), error.message)

    async def unwatch(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            stream = self._streams.get(is_crypto(symbol))
            if self._candles.pop(symbol, None) is not None and stream is not None:
                await stream.unsubscribe([symbol])
            self._board.forget(symbol)
            self._missed.forget(symbol)

    async def answer(self, request: HistoryRequest) -> None:
        if request.timeframe is Timeframe.SECOND_1:
            await self._wait_until_caught_up()
        now = max(self._board.watermark, self.market_time)
        self._publish(HISTORY_REPLY + request.requester, await self.history.answer(request, now))

    async def _wait_until_caught_up(self) -> None:
        try:
            async with asyncio.timeout(CATCH_UP_WAIT):
                await self._caught_up.wait()
        except TimeoutError:
            log.warning("The first trades have not been read yet; the history of seconds is short.")

    def flush_quotes(self) -> None:
        states = self._board.drain()
        if states:
            self._publish(QUOTES, said.Quotes(states))

    def flush_candles(self) -> None:
        """Growing candles, by timeframe."""
        self._give_out(bar for candles in self._candles.values() for bar in candles.growing())

    def flush_status(self) -> None:
        now = self._clock.monotonic()
        since, count = self._rate_from
        rate = (self.messages - count) / max(now - since, 0.001)
        self._rate_from = (now, self.messages)
        streams = self._streams.values()
        self._publish(
            FEED_STATUS,
            FeedStatus(
                feed=self._name,
                source=self._source,
                connected=bool(streams) and all(stream.state is StreamState.SUBSCRIBED for stream in streams),
                age=-1.0 if self._last_at < 0 else now - self._last_at,
                messages=self.messages,
                message_rate=rate,
                reconnects=sum(stream.reconnects for stream in streams),
                rejected=self._normaliser.rejected + self._rejected_frames,
                symbols=sorted(self._candles),
                unknown_symbols=sorted(self._unknown),
                error="; ".join(stream.error for stream in streams if stream.error),
            ),
        )

    async def refresh_market(self) -> None:
        """Ask for the venue's time; while the tape is quiet it closes candles."""
        self.market_time, self.market_open = await self._rest.market_time()
        if self._last_at >= 0 and self._clock.monotonic() - self._last_at > QUIET:
            self._give_out(bar for candles in self._candles.values() for bar in candles.close_before(self.market_time))

    async def refresh_day(self) -> None:
        """Ask for the previous close and the day's volume again: a new day may have begun."""
        for symbol, snapshot in (await self._rest.snapshots(list(self._candles))).items():
            if symbol in self._candles:
                self._missed.seed_board(symbol, snapshot)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._rest.close()

    def silence_limit(self) -> float | None:
        return SILENCE if self.market_open else None

    def _start_stream(self, crypto: bool, names: list[str]) -> None:
        stream = self._make_stream(
            crypto,
            on_frame=lambda frame: self._take(crypto, frame),
            on_subscribed=lambda: self._catch_up_stream(crypto),
            silence_limit=self.silence_limit,
        )
        stream.symbols = set(names)
        self._streams[crypto] = stream
        task = asyncio.create_task(stream.run(), name=stream.name)
        self._tasks[crypto] = task
        task.add_done_callback(self._stream_ended)

    def _stream_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)

    def _take(self, crypto: bool, frame: Frame) -> None:
        self._rejected_frames += frame.rejected
        count = len(frame.trades) + len(frame.quotes) + len(frame.minutes)
        if not count:
            return
        self.messages += count
        self._last_at = self._clock.monotonic()
        frame.trades = [trade for trade in self._normaliser.trades(frame.trades) if trade.symbol in self._candles]
        frame.quotes = [quote for quote in self._normaliser.quotes(frame.quotes) if quote.symbol in self._candles]
        self._board.add_trades(frame.trades)
        self._board.add_quotes(frame.quotes)
        held = self._held.get(crypto)
        if held is not None and len(held) < MOST_HELD:
            held.append(frame)
        else:
            self._build(frame)

    def _build(self, frame: Frame) -> None:
        bars: list[Bar] = []
        for trade in frame.trades:
            if (candles := self._candles.get(trade.symbol)) is not None:
                bars += candles.add((trade,))
        for minute in frame.minutes:
            if (candles := self._candles.get(minute.symbol)) is not None:
                bars += candles.replace_minute(minute)
        for candles in self._may_close(frame):
            bars += candles.close_before(self._board.watermark)
        if bars:
            self._give_out(bars)

    def _may_close(self, frame: Frame) -> Iterable[Candles]:
        """All when a second has passed on the tape, else those that traded: one may trail behind the others."""
        second = self._board.watermark // NANOSECONDS
        if second > self._closed_to:
            self._closed_to = second
            return self._candles.values()
        traded = dict.fromkeys(trade.symbol for trade in frame.trades)
        return [self._candles[symbol] for symbol in traded if symbol in self._candles]

    def _give_out(self, bars: Iterable[Bar]) -> None:
        by_timeframe: dict[Timeframe, list[Bar]] = {}
        for bar in bars:
            by_timeframe.setdefault(bar.timeframe, []).append(bar)
        for timeframe, some in by_timeframe.items():
            self._publish(CANDLES + timeframe.value, said.Candles(timeframe, some))

    @contextmanager
    def _hold(self, crypto: bool) -> Iterator[None]:
        """Let what streams in wait meanwhile."""
        self._held.setdefault(crypto, [])
        self._holders[crypto] += 1
        try:
            yield
        finally:
            self._holders[crypto] -= 1
            if not self._holders[crypto]:
                for frame in self._held.pop(crypto):
                    self._build(frame)

    async def _catch_up_stream(self, crypto: bool) -> None:
        with self._hold(crypto):
            try:
                await self._catch_up([symbol for symbol in self._candles if is_crypto(symbol) is crypto])
            finally:
                self._caught_up.set()

    async def _catch_up(self, symbols: list[str]) -> None:
        self._missed.begin(symbols)
        await self.refresh_market()
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
