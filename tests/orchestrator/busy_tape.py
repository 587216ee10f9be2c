"""A market of more than 20,000 recorded prints a second for the tests, and feeds in this process that follow it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import polars as pl

from engine.clock import SystemClock
from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.batch import Batch
from engine.market.feed import Feed
from engine.market.following import Following
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.rest import Snapshot
from engine.market.sources.base import SourceState
from engine.processes.states import ProcessState
from engine.streams.messages import Message, Watch
from tests.shared_data import FOLDER

PACE = 22_000
"""Prints in a second of the clock."""
SPEED = 20.0
"""Seconds of the tape in one of the clock."""
SYMBOLS = [f"SPY{letter}" for letter in "ABCDEFGHIJKL"]
BEGIN = 1_700_000_000 * NANOSECONDS
STEP = int(SPEED * NANOSECONDS / PACE)
PAUSE = 0.01
LOOK = 0.05
RECENT = 2_000
"""Prints of a symbol that can be read afterwards."""


class Tape:
    """SPY's prints of a recorded morning in their order, under twelve names by turns, each with an id of its own."""

    def __init__(self) -> None:
        frame = pl.read_parquet(FOLDER / "trades" / "SPY" / "2013-10-07.parquet").slice(20_000, 100_000)
        self._prints = list(zip(frame["price"].to_list(), frame["size"].to_list(), strict=True))
        self.sources: list[TapeSource] = []
        self.recent = {symbol: deque[Trade](maxlen=RECENT) for symbol in SYMBOLS}
        self.counts: Counter[tuple[str, int]] = Counter()
        """Prints by symbol and second."""
        self.told = 0
        self._began = asyncio.get_running_loop().time()

    @property
    def now(self) -> int:
        return BEGIN + self.told * STEP

    @property
    def rate(self) -> float:
        """Prints a second so far."""
        return self.told / (asyncio.get_running_loop().time() - self._began)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            due = int((asyncio.get_running_loop().time() - self._began) * PACE)
            self._tell([self._print(number) for number in range(self.told, due)])
            self.told = due

    def _print(self, number: int) -> Trade:
        price, size = self._prints[number % len(self._prints)]
        return Trade(
            SYMBOLS[number % len(SYMBOLS)], price, size, BEGIN + number * STEP, "V", ("@",), number + 1, "B"
        )  # fmt: skip

    def _tell(self, new: list[Trade]) -> None:
        for trade in new:
            self.recent[trade.symbol].append(trade)
            self.counts[trade.symbol, trade.timestamp // NANOSECONDS] += 1
        for source in self.sources:
            source.hear([trade for trade in new if trade.symbol in source.symbols])


class TapeSource:
    """A stream of the tape; what is told before a symbol is subscribed to has to be read afterwards."""

    def __init__(self, tape: Tape) -> None:
        self.name, self.error, self.reconnects, self.conflated = "tape", "", 0, 0
        self.state = SourceState.SUBSCRIBED
        self.has_quotes = False
        self.refused: set[str] = set()
        self.shed: dict[str, int] = {}
        self.symbols: set[str] = set()
        self._batches: asyncio.Queue[Batch] = asyncio.Queue()
        self._batches.put_nowait(Batch(fresh=True))
        tape.sources.append(self)

    def hear(self, trades: Sequence[Trade]) -> None:
        self._batches.put_nowait(Batch(trades=trades))

    async def __aiter__(self) -> AsyncIterator[Batch]:
        while True:
            yield await self._batches.get()

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols.update(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols.difference_update(symbols)

    def reconnect(self, reason: str) -> None:
        raise AssertionError(reason)


class TapeRest:
    """The venue's answers over REST: its time, and what was printed a moment ago."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    async def market_time(self) -> tuple[int, bool]:
        return self._tape.now, True

    async def knows(self, symbol: str) -> bool:
        return symbol in SYMBOLS

    async def snapshots(self, symbols: Iterable[str]) -> dict[str, Snapshot]:
        return {}

    async def newest_bars(self, symbol: str, timeframe: Timeframe, start: int, limit: int, now: int) -> list[Bar]:
        return []

    async def newest_trades(self, symbol: str, start: int, limit: int) -> list[Trade]:
        await asyncio.sleep(PAUSE)  # prints stream in while an answer is on its way
        return [trade for trade in self._tape.recent[symbol] if trade.timestamp >= start][-limit:]

    async def close(self) -> None:
        pass


class _NoIndicators:
    def watch(self, symbols: Sequence[str]) -> None: ...

    def unwatch(self, symbols: Sequence[str]) -> None: ...


class FeedWorker:
    """What the worker process does with its feed, without a process and a hub."""

    def __init__(self, name: str, tape: Tape, say: Callable[[Message], None]) -> None:
        def publish(topic: str, message: Message) -> None:
            if (own := self.feed.tenure.ours(message, self.feed.tape_now)) is not None:
                say(own)

        rest, clock = TapeRest(tape), SystemClock()
        self.inbox: asyncio.Queue[Watch] = asyncio.Queue()
        self.feed = Feed(
            name, "tape", rest, publish, clock, lambda crypto: [TapeSource(tape)], BarHistory(ChunkCache(clock, "tape"), [])
        )  # fmt: skip
        self._following = Following(self.feed, _NoIndicators())
        self._works: list[asyncio.Task[None]] = []

    def start(self, symbols: list[str]) -> None:
        self._works = [asyncio.create_task(self._listen(symbols)), asyncio.create_task(self._flush())]

    async def close(self) -> None:
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)
        await self.feed.close()

    async def _listen(self, symbols: list[str]) -> None:
        await self._following.watch(dict.fromkeys(symbols, 0))
        while True:
            await self._following.follow(await self.inbox.get())

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.feed.flush_quotes()
            self.feed.flush_candles()
            self.feed.flush_status()
            await self._following.settle()


class FeedWorkers:
    """In the place of the supervisor: a feed runs as soon as it is started."""

    def __init__(self, tape: Tape, say: Callable[[Message], None]) -> None:
        self.running: dict[str, FeedWorker] = {}
        self.stopped: set[str] = set()
        """Those that a person has stopped."""
        self._make = lambda name: FeedWorker(name, tape, say)
        self._added: dict[str, Callable[[], list[str]]] = {}

    def add(self, planned: tuple[str, Callable[[], list[str]]]) -> None:
        self._added[planned[0]] = planned[1]

    async def start(self, names: Iterable[str]) -> None:
        for name in names:
            self.stopped.discard(name)
            self.running[name] = self._make(name)
            self.running[name].start(self._added[name]())

    async def wait_state(self, name: str, states: Sequence[ProcessState], timeout: float) -> None:
        assert name in self.running

    async def stop(self, name: str) -> None:
        """By a person."""
        self.stopped.add(name)
        await self.running.pop(name).close()

    async def remove(self, name: str) -> None:
        await self.running.pop(name).close()

    def state(self, name: str) -> ProcessState:
        return ProcessState.STOPPED if name in self.stopped else ProcessState.RUNNING

    def hear(self, topic: str, message: Message) -> None:
        assert isinstance(message, Watch)
        for name, worker in self.running.items():
            if message.feed in ("", name):
                worker.inbox.put_nowait(message)
