"""What was missed: trades, minutes and the day so far, read over REST at the start and after each loss of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.market.processor import Processor
from engine.market.rest import Snapshot
from engine.market.venue import VenueData
from engine.streams.messages import Gap

WARM_UP = 420 * NANOSECONDS
"""Trades read at the start: enough seconds for the slowest demo bot."""
MOST_TRADES = 6_000
OVERLAP = 2 * NANOSECONDS
LONGEST_GAP = 86_400 * NANOSECONDS
READ_AT_ONCE = 4
GAPS_KEPT = 1_000
SOURCE = "REST"
MINUTE = Timeframe.MINUTE_1.nanoseconds


class CatchUp:
    """`begin`, then `read`. What a `read` could not get is remembered, and the next one gets it."""

    def __init__(
        self,
        rest: VenueData,
        processor: Processor,
        give_out: Callable[[Iterable[Bar]], None],
    ) -> None:
        self._rest = rest
        self._candles = processor.candles
        self._board = processor.board
        self._normaliser = processor.normaliser
        self._give_out = give_out
        self.filled = 0
        """Trades and minutes that were read after a gap, without those read at the start."""
        self._gaps: list[Gap] = []
        self._read_from: dict[str, int] = {}
        """Where reading begins, for each symbol that has not been caught up; -1 = nothing is known of it."""
        self._owed: dict[str, int] = {}

    def begin(self, symbols: Iterable[str]) -> None:
        """Note where the candles of these symbols end, before newer ones are built."""
        for symbol in symbols:
            if (candles := self._candles.get(symbol)) is not None:
                self._read_from.setdefault(symbol, next(reversed(candles.seconds.bars), -1))

    def owe(self, since: Mapping[str, int]) -> None:
        """Another feed, or this one before it started again, has said the candles of these new symbols that end until the
        time beside each, and will say no more: those after it are given out when the symbols are first read, which else only
        prepares for what streams in.
        """
        self._owed.update(since)

    def drain_gaps(self) -> list[Gap]:
        """Those in which something was missed and has been read since the last call."""
        found, self._gaps = self._gaps, []
        return found

    def forget(self, symbol: str) -> None:
        self._read_from.pop(symbol, None)
        self._owed.pop(symbol, None)

    async def read(self, symbols: list[str], now: int) -> None:
        """Read and give out the closed candles that come of it; `now` is the venue's time.

        One symbol that cannot be read does not hinder the others; after them its error is raised, a PaddockError.
        """
        snapshots = await self._rest.snapshots(symbols)
        gate = asyncio.Semaphore(READ_AT_ONCE)
        problems: list[PaddockError] = []

        async def read_one(symbol: str) -> None:
            try:
                async with gate:
                    self._give_out(await self._read_symbol(symbol, snapshots.get(symbol), now))
            except PaddockError as problem:
                problems.append(problem)

        await asyncio.gather(*(read_one(symbol) for symbol in symbols))
        if problems:
            raise problems[0]

    def seed_board(self, symbol: str, snapshot: Snapshot) -> None:
        day = snapshot.day
        started, volume = (day.timestamp, day.volume) if day is not None else (0, 0.0)
        self._board.seed(symbol, snapshot.last, snapshot.previous_close, started, volume)

    async def _read_symbol(self, symbol: str, snapshot: Snapshot | None, now: int) -> list[Bar]:
        candles, since = self._candles.get(symbol), self._read_from.get(symbol)
        if candles is None or since is None:
            return []
        if snapshot is not None:
            self.seed_board(symbol, snapshot)
        day = snapshot.day if snapshot is not None else None
        begin = day.timestamp if since < 0 and day is not None else max(since, now - LONGEST_GAP)
        minutes = await self._minutes(symbol, begin, now)
        owed = self._owed.get(symbol, 0)
        trades = await self._rest.newest_trades(symbol, _first_trade(since, owed, now), MOST_TRADES)
        self._read_from.pop(symbol, None)
        self._owed.pop(symbol, None)
        bars: list[Bar] = []
        if since < 0 and day is not None:
            candles.seed(minute for minute in minutes if not _ends_after(minute, owed))
            minutes = [minute for minute in minutes if _ends_after(minute, owed)]
        for minute in minutes:
            bars += candles.replace_minute(minute)
        new = self._normaliser.trades(trades)
        bars += candles.add(new)
        bars += candles.close_before(now)  # of what is newer some may wait in the line that reads this
        self._board.touch(symbol)
        if since < 0:
            bars = [bar for bar in bars if _ends_after(bar, owed)]
            since, new = owed, [trade for trade in new if 0 < owed <= trade.timestamp]
            if not new:
                return bars
        self.filled += len(new) + len(minutes)
        if new:
            whole = len(trades) < MOST_TRADES or trades[0].timestamp < since
            gap = Gap(
                symbol=symbol, start=since, end=now, source=SOURCE, trades=len(new), minutes=len(minutes), whole=whole
            )
            self._gaps.append(gap)
            del self._gaps[:-GAPS_KEPT]
        return bars

    async def _minutes(self, symbol: str, begin: int, now: int) -> list[Bar]:
        """The closed ones since the minute of `begin`."""
        start = begin // MINUTE * MINUTE
        found = await self._rest.newest_bars(symbol, Timeframe.MINUTE_1, start, (now - start) // MINUTE + 1, now)
        return [bar for bar in found if bar.closed]


def _first_trade(since: int, owed: int, now: int) -> int:
    """From when on trades are asked for."""
    if since >= 0:
        return since - OVERLAP
    return min(now - WARM_UP, max(owed - OVERLAP, now - LONGEST_GAP)) if owed else now - WARM_UP


def _ends_after(bar: Bar, owed: int) -> bool:
    """Whether another feed owes this bar; 0 = none owes anything."""
    return 0 < owed < bar.timestamp + bar.timeframe.nanoseconds
