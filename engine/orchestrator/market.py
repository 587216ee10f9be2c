"""The engine's memory of the market: last quotes and recent bars, from what the feed says on the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from engine.clock import Clock, IdFactory
from engine.domain.errors import UnavailableError
from engine.domain.market import Bar, Timeframe
from engine.orchestrator.gaps import GapMemory
from engine.orchestrator.indicators import IndicatorMemory
from engine.orchestrator.timeline import Timeline
from engine.streams.messages import (
    HISTORY_REQUEST,
    Candles,
    FeedStatus,
    HistoryReply,
    HistoryRequest,
    Indicators,
    Message,
    Quotes,
    QuoteState,
    RecorderStatus,
)
from engine.tables import Table
from engine.views import QuoteRow

BARS_KEPT = 1_000
"""Per symbol and timeframe; a chart asks the feed for what is older."""
HISTORY_TIMEOUT = 10.0

Publish = Callable[[str, Message], None]


class MarketMemory:
    """Fed by `take`; read by the window through `Views.quotes` and `bars`, by the risk gate through `quote`."""

    def __init__(self, quotes: Table[QuoteRow], clock: Clock) -> None:
        self._quotes = quotes
        self._clock = clock
        self._received: dict[str, float] = {}
        self._bars: dict[tuple[str, Timeframe], Timeline[Bar]] = {}
        self.indicators = IndicatorMemory()
        self.feeds: dict[str, FeedStatus] = {}
        self.gaps = GapMemory()
        self.recorder: RecorderStatus | None = None
        self.last_quote_at = -1.0
        """Monotonic seconds of the last market data; -1 = never."""
        self.messages = 0
        self.revised = 0
        """Closed bars that came again because something corrected them."""
        self.last_revised: Bar | None = None

    def take(self, message: Message) -> None:
        match message:
            case Quotes():
                self._take_quotes(message.quotes)
            case Candles():
                self._take_bars(message.bars)
            case Indicators():
                self.indicators.take(message.timeframe, message.values)
            case FeedStatus():
                self.feeds[message.feed] = message
            case RecorderStatus():
                self.recorder = message
            case _:
                return

    def expect(self, symbols: Iterable[str]) -> None:
        """Those that are watched have their rows in this order, and an empty one until the feed knows their price."""
        for symbol in symbols:
            if self._quotes.get(symbol) is None:
                self._quotes.put(symbol, QuoteRow(symbol=symbol))

    def quote(self, symbol: str) -> QuoteRow | None:
        """None before the first."""
        return self._quotes.get(symbol) if symbol in self._received else None

    def quote_age(self, symbol: str) -> float:
        """Seconds since its quote arrived, by a clock that nobody sets; infinite where there is none."""
        at = self._received.get(symbol)
        return float("inf") if at is None else self._clock.monotonic() - at

    def bars(self, symbol: str, timeframe: Timeframe, after: int) -> list[Bar]:
        """Those that start at or after `after`, oldest first; the last may still grow."""
        found = self._bars.get((symbol, timeframe))
        return found.since(after) if found is not None else []

    @property
    def age(self) -> float:
        """Seconds since market data last arrived; -1 = never."""
        return -1.0 if self.last_quote_at < 0 else self._clock.monotonic() - self.last_quote_at

    def _take_quotes(self, quotes: Iterable[QuoteState]) -> None:
        self.last_quote_at = self._clock.monotonic()
        now = self._clock.now()
        for quote in quotes:
            self.messages += 1
            self._received[quote.symbol] = self.last_quote_at
            self._quotes.put(
                quote.symbol,
                QuoteRow(
                    symbol=quote.symbol,
                    last=quote.last,
                    bid=quote.bid,
                    ask=quote.ask,
                    bid_size=quote.bid_size,
                    ask_size=quote.ask_size,
                    previous_close=quote.previous_close,
                    day_volume=quote.day_volume,
                    timestamp=quote.timestamp,
                    received_at=now,
                ),
            )

    def _take_bars(self, bars: Sequence[Bar]) -> None:
        for bar in bars:
            self.messages += 1
            if bar.revision and bar.closed:
                self.revised += 1
                self.last_revised = bar
            self._bars.setdefault((bar.symbol, bar.timeframe), Timeline(BARS_KEPT)).put(bar.timestamp, bar)

    def forget(self, symbol: str) -> None:
        self._quotes.remove(symbol)
        self._received.pop(symbol, None)
        self.indicators.forget(symbol)
        for key in [key for key in self._bars if key[0] == symbol]:
            del self._bars[key]


class HistoryDesk:
    """Asks the feed for bars over the hub and matches the answers to those who wait."""

    def __init__(self, name: str, publish: Publish, ids: IdFactory, timeout: float = HISTORY_TIMEOUT) -> None:
        self._name = name
        self._publish = publish
        self._ids = ids
        self._timeout = timeout
        self._waiting: dict[str, asyncio.Future[list[Bar]]] = {}

    async def ask(self, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
        """Oldest first. Raises UnavailableError when the feed does not answer in time or cannot."""
        request_id = self._ids.ulid()
        future: asyncio.Future[list[Bar]] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            self._publish(
                HISTORY_REQUEST,
                HistoryRequest(
                    requester=self._name, request_id=request_id, symbol=symbol, timeframe=timeframe, limit=limit
                ),
            )
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            raise UnavailableError(
                f"The feed did not answer with the history of {symbol}.",
                "Look at the feed under Processes; start it if it is stopped.",
            ) from None
        finally:
            del self._waiting[request_id]

    def take(self, reply: HistoryReply) -> None:
        future = self._waiting.get(reply.request_id)
        if future is None or future.done():
            return
        if reply.error:
            future.set_exception(UnavailableError(reply.error, "Choose another symbol or timeframe."))
        else:
            future.set_result(reply.bars)
