"""Indicators in the feed: warmed up from history, moved by each closed candle, computed again when one is revised."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum

import numpy as np

from engine.domain.errors import DataError, PaddockError
from engine.domain.market import NANOSECONDS, Bar, IndicatorValues, Timeframe
from engine.market.indicators.kept import KeptBars
from engine.market.indicators.parameters import IndicatorParameters
from engine.market.indicators.table import FloatArray, IndicatorTable
from engine.streams.messages import INDICATORS, Indicators, Message

log = logging.getLogger(__name__)

TIMEFRAMES = (
    Timeframe.MINUTE_1, Timeframe.MINUTE_5, Timeframe.MINUTE_15, Timeframe.HOUR_1, Timeframe.HOUR_4, Timeframe.DAY_1,
)  # fmt: skip
"""Not of seconds: nobody decides by them, and the average price of a session would need all of its seconds."""
MOST_ASKED = 5_000
DAY = 86_400 * NANOSECONDS
PACE = 0.25
"""Seconds between two requests for history, so that warming up leaves the venue's limit to others."""
RETRY = 10.0
SHOWN = 500
"""Values given out at once after a warm-up: as many as a chart shows bars."""

Publish = Callable[[str, Message], None]
Ask = Callable[[str, Timeframe, int], Awaitable[Sequence[Bar]]]
"""(symbol, timeframe, how many) -> the newest closed bars, oldest first; raises PaddockError."""
DayStart = Callable[[str, int], int]
"""(symbol, time) -> when the day of that time began; both int nanoseconds UTC."""


class State(StrEnum):
    """COLD until history was read; SHORT while there is too little of it; WARM when values are given out."""

    COLD = "cold"
    SHORT = "short"
    WARM = "warm"


class LiveIndicators:
    """`take` what the feed publishes; `run` beside it."""

    def __init__(
        self, ask: Ask, publish: Publish, day_start: DayStart, parameters: IndicatorParameters | None = None
    ) -> None:
        self._ask = ask
        self._publish = publish
        self._day_start = day_start
        self._parameters = parameters or IndicatorParameters()
        self._tables: dict[Timeframe, IndicatorTable] = {}
        self._series: dict[tuple[Timeframe, str], _Series] = {}
        self._cold: deque[tuple[Timeframe, str]] = deque()
        self._wanted = asyncio.Event()
        self.refused = 0
        """Bars that cannot be; their symbol begins anew from history."""

    @property
    def warm(self) -> int:
        """Pairs of symbol and timeframe whose values are given out."""
        return sum(series.state is State.WARM for series in self._series.values())

    @property
    def series(self) -> int:
        """Pairs of symbol and timeframe that are watched."""
        return len(self._series)

    def watch(self, symbols: Iterable[str]) -> None:
        names = list(symbols)
        for timeframe in TIMEFRAMES:
            for symbol in names:
                if (timeframe, symbol) not in self._series:
                    self._series[timeframe, symbol] = _Series(timeframe, self._parameters.warm_up + SHOWN - 1)
                    self._want(timeframe, symbol)

    def unwatch(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            for timeframe in TIMEFRAMES:
                self._series.pop((timeframe, symbol), None)
                if timeframe in self._tables:
                    self._tables[timeframe].forget(symbol)

    def take(self, timeframe: Timeframe, bars: Iterable[Bar]) -> None:
        """Candles as they are published; growing ones are passed over."""
        fresh: dict[str, Bar] = {}
        for bar in bars:
            series = self._series.get((timeframe, bar.symbol))
            if series is None or not bar.closed:
                continue
            later = bar.timestamp > series.kept.newest
            row = series.kept.put(bar)
            if series.state is State.COLD or row < 0:
                continue
            if later and bar.symbol not in fresh:
                fresh[bar.symbol] = bar
                continue
            # Two bars of one symbol at once, or one that changes what was: its values follow from the whole again.
            self._replay(timeframe, bar.symbol, min(fresh.pop(bar.symbol, bar).timestamp, bar.timestamp))
        if fresh:
            self._move(timeframe, list(fresh.values()))

    async def run(self) -> None:
        """Warm up whatever is cold, one request after another, for as long as it is not cancelled."""
        await asyncio.to_thread(self._load)
        while True:
            await self._wanted.wait()
            while self._cold:
                timeframe, symbol = self._cold.popleft()
                if (series := self._series.get((timeframe, symbol))) is None:
                    continue
                try:
                    await self._warm_up(timeframe, symbol, series)
                except PaddockError as error:
                    log.info("The indicators of %s (%s) wait for history: %s", symbol, timeframe, error.message)
                    self._cold.append((timeframe, symbol))
                    await asyncio.sleep(RETRY)
                await asyncio.sleep(PACE)
            self._wanted.clear()
            log.info("Indicators: %d of %d series are warm.", self.warm, len(self._series))

    def _load(self) -> None:
        """Import and compile, which takes seconds the first time, in a thread of its own."""
        for timeframe in TIMEFRAMES:
            self._tables[timeframe] = table = IndicatorTable(self._parameters)
            table.take([Bar("", timeframe, 0, 1.0, 1.0, 1.0, 1.0, 1.0)], [0])
            table.forget("")

    async def _warm_up(self, timeframe: Timeframe, symbol: str, series: _Series) -> None:
        bars = await self._ask(symbol, timeframe, series.least)
        if len(bars) >= series.least and (more := self._bars_of_the_day(timeframe, symbol, bars[-1])) > series.least:
            bars = await self._ask(symbol, timeframe, min(more, MOST_ASKED))
        if self._series.get((timeframe, symbol)) is not series:
            return  # it went to another feed, or off the watch list, while history was read
        series.whole = len(bars) < series.least
        series.kept.put_below(bars)
        series.state = State.SHORT
        if len(series.kept):
            self._replay(timeframe, symbol, int(series.kept.times[-SHOWN:][0]), past=True)

    def _bars_of_the_day(self, timeframe: Timeframe, symbol: str, newest: Bar) -> int:
        return (newest.timestamp - self._day_start(symbol, newest.timestamp)) // timeframe.nanoseconds + 1

    def _move(self, timeframe: Timeframe, bars: list[Bar]) -> None:
        """One new bar of each of several symbols."""
        try:
            values = self._tables[timeframe].take(bars, [self._day_start(bar.symbol, bar.timestamp) for bar in bars])
        except DataError as error:
            if len(bars) > 1:
                for bar in bars:
                    self._move(timeframe, [bar])
            else:
                self._begin_anew(timeframe, bars[0].symbol, error)
            return
        self._give_out(timeframe, [(bar.symbol, bar.timestamp, row) for bar, row in zip(bars, values, strict=True)])

    def _replay(self, timeframe: Timeframe, symbol: str, since: int, *, past: bool = False) -> None:
        """Compute all that is kept again and give out the values from `since` on."""
        kept, table = self._series[timeframe, symbol].kept, self._tables[timeframe]
        table.forget(symbol)
        times = kept.times
        sessions = np.fromiter((self._day_start(symbol, at) for at in times.tolist()), np.int64, len(times))
        rows = np.full(len(times), table.row(symbol))
        try:
            values = table.update(rows, times.copy(), kept.numbers, sessions)
        except DataError as error:
            self._begin_anew(timeframe, symbol, error)
            return
        first = max(int(np.searchsorted(times, since)), self._enough(self._series[timeframe, symbol]) - 1)
        self._give_out(timeframe, [(symbol, int(times[i]), values[i]) for i in range(first, len(times))], past=past)

    def _give_out(
        self, timeframe: Timeframe, found: Iterable[tuple[str, int, FloatArray]], *, past: bool = False
    ) -> None:
        said: list[IndicatorValues] = []
        for symbol, at, values in found:
            series = self._series[timeframe, symbol]
            if series.state is not State.WARM:
                count = self._tables[timeframe].count(symbol)
                series.state = State.WARM if count >= self._enough(series) else State.SHORT
            if series.state is State.WARM and np.isfinite(values).all():
                said.append(IndicatorValues(symbol, at, *values.tolist()))
        if said:
            self._publish(INDICATORS + timeframe.value, Indicators(timeframe, said, past))

    def _enough(self, series: _Series) -> int:
        """Bars from which on values are given out."""
        return self._parameters.lookback if series.whole else self._parameters.warm_up

    def _begin_anew(self, timeframe: Timeframe, symbol: str, error: DataError) -> None:
        """A bar was refused: nothing is given out until history was read again."""
        self.refused += 1
        log.error("%s", error.message, extra={"remedy": "Its history is read again.", "category": "data"})
        self._series[timeframe, symbol] = _Series(timeframe, self._parameters.warm_up + SHOWN - 1)
        self._tables[timeframe].forget(symbol)
        self._want(timeframe, symbol)

    def _want(self, timeframe: Timeframe, symbol: str) -> None:
        self._cold.append((timeframe, symbol))
        self._wanted.set()


class _Series:
    """What is known of one symbol and timeframe."""

    def __init__(self, timeframe: Timeframe, least: int) -> None:
        self.least = least
        """Bars that a warm-up needs."""
        self.state = State.COLD
        self.whole = False
        """Whether history has nothing before what is kept: then the first value is right however few bars there are."""
        # A whole day, because the average price of a day needs all of it.
        self.kept = KeptBars(max(least, DAY // timeframe.nanoseconds))
