"""A recorded day as a tape: trades, quotes or minute bars, joined over symbols and played in order of time.

The recording can begin again, on a later day: its times are then shifted by whole days, so that time never runs
backward for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from pathlib import Path

import numpy as np

from engine.domain.errors import DataError
from engine.domain.market import Quote, Trade
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent
from engine.exchange.prices.halts import Halts
from engine.exchange.prices.nbbo import BestQuotes
from engine.exchange.prices.recording import BARS, choose_day, has_ticks, recorded_symbols
from engine.exchange.prices.ticks import MINUTE, QUOTES, TRADES, Ticks, read_bars, read_ticks, ticks_of_bars
from engine.exchange.sessions import at_new_york, midnight, new_york

_TICK = 0.01


class ReplayPrices:
    """`symbols` empty takes all that were recorded, `day` None the first day on which all of them were. `start_at` is
    the New York time at which the doors open. Raises DataError.

    Symbols without quotes get one of a tick's width around each print; symbols with quotes alone print nothing; symbols
    with minute bars alone have four prints a minute.
    """

    def __init__(self, folder: Path, symbols: Sequence[str], day: str | None = None, start_at: str = "09:30") -> None:
        self._folder = folder
        self.symbols = tuple(symbols) or recorded_symbols(folder)
        self.day = choose_day(folder, self.symbols, day)
        self.halts = Halts()
        self.rounds = 0
        """How often the recording has begun again."""
        self._date = self._played = date.fromisoformat(self.day)
        self._shift = 0
        self._ticks = [ticks for symbol in self.symbols for ticks in self._read(symbol)]
        self._quoted = {ticks.symbol for ticks in self._ticks if ticks.kind == QUOTES}
        self._books = {symbol: BestQuotes(symbol) for symbol in self._quoted}
        self._trade_ids = dict.fromkeys(self.symbols, 0)
        filled = [ticks for ticks in self._ticks if len(ticks.timestamps)]
        if not filled:
            raise DataError(f"The recording of {self.day} in {folder} is empty.", "Choose another day or folder.")
        self._first = min(int(ticks.timestamps[0]) for ticks in filled)
        self._last = max(int(ticks.timestamps[-1]) for ticks in filled)
        self._start_at = clock_time(start_at)
        self.tape_start = self._first
        self.end: int | None = self._last
        self.start = self.doors_open()
        self._bars: dict[tuple[str, str], BarColumns] = {}

    def step(self, until: int) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        for ticks in self._ticks:
            rows = ticks.upto(until - self._shift)
            if rows.start < rows.stop:
                events += self._trades(ticks, rows) if ticks.kind == TRADES else self._quotes(ticks, rows)
        # Stable: at one instant prints come before quotes, each in the order of its file.
        events.sort(key=lambda event: event.timestamp)
        return self.halts.apply(events, until)

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        """What was recorded for that time is withheld."""
        self.halts.halt(symbol, at, seconds)

    def has_ended(self, now: int) -> bool:
        return self.end is not None and now >= self.end

    def begin_again(self, now: int) -> None:
        """End the day that is played, whatever is left of it, and play the recording on the first weekday after that of
        `now`. What has been told stays on the tape as an earlier day.
        """
        self.play_on(weekday_after(new_york(now).date()))
        self.rounds += 1

    def play_on(self, day: date) -> None:
        """Move the recording to `day`, from its beginning."""
        self._played = day
        self._shift = at_new_york(day, time()) - at_new_york(self._date, time())
        self.end = self._last + self._shift
        self._books = {symbol: BestQuotes(symbol) for symbol in self._quoted}
        for ticks in self._ticks:
            ticks.position = 0

    def take_up(self, at: int) -> None:
        """Before the first step: open where an earlier run was at venue time `at`, on the day it played by then; where
        that had ended, on the next weekday.
        """
        day = new_york(at).date()
        if day > self._date:
            self.play_on(day if day.weekday() < 5 else weekday_after(day))
        if self.has_ended(at):
            self.play_on(weekday_after(day))
        self.tape_start = self._first + self._shift
        self.start = max(self.doors_open(), at)

    def at(self, clock: time) -> int:
        """Venue time of a New York wall time on the day that is played."""
        return at_new_york(self._played, clock)

    def doors_open(self) -> int:
        """When the day that is played opens its doors."""
        return max(self.at(self._start_at), self._first + self._shift)

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        # The minute in which the tape begins is made from the tape.
        bars = self._history(symbol, BARS, self._first // MINUTE * MINUTE)
        first, last = np.searchsorted(bars.timestamp, (start, end))
        return bars[int(first) : int(last)]

    def daily_bars(self, symbol: str) -> BarColumns:
        return self._history(symbol, "bars_1day", midnight(self._first))

    def _trades(self, ticks: Ticks, rows: slice) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        symbol, number = ticks.symbol, self._trade_ids[ticks.symbol]
        made_up = symbol not in self._quoted
        prices, sizes = (column[rows].tolist() for column in ticks.values)
        words = zip(ticks.exchanges[rows], ticks.conditions[rows], ticks.suspicious[rows], strict=True)
        times = (ticks.timestamps[rows] + self._shift).tolist()
        for at, price, size, (exchange, condition, suspicious) in zip(times, prices, sizes, words, strict=True):
            number += 1
            conditions = (condition,) if condition else ()
            if made_up and not suspicious:
                events.append(Quote(symbol, price, 100.0, round(price + _TICK, 4), 100.0, at))
            events.append(Trade(symbol, price, size, at, exchange, conditions, number))
        self._trade_ids[symbol] = number
        return events

    def _quotes(self, ticks: Ticks, rows: slice) -> list[TapeEvent]:
        book = self._books[ticks.symbol]
        columns = [column[rows].tolist() for column in ticks.values]
        times = (ticks.timestamps[rows] + self._shift).tolist()
        found: list[TapeEvent] = []
        for at, bid, bid_size, ask, ask_size, exchange, suspicious in zip(
            times, *columns, ticks.exchanges[rows], ticks.suspicious[rows], strict=True
        ):
            if suspicious:
                continue
            quote = book.update(at, exchange, bid, bid_size, ask, ask_size)
            if quote is not None:
                found.append(quote)
        return found

    def _read(self, symbol: str) -> list[Ticks]:
        kinds = [kind for kind in (TRADES, QUOTES) if has_ticks(self._folder, kind, symbol, self.day)]
        if kinds:
            return [read_ticks(self._folder, symbol, kind, self.day) for kind in kinds]
        bars = read_bars(self._folder / BARS / f"{symbol}.parquet")
        start = at_new_york(self._date, time())
        end = at_new_york(self._date + timedelta(days=1), time())
        first, last = np.searchsorted(bars.timestamp, (start, end))
        return [ticks_of_bars(symbol, bars[int(first) : int(last)])]

    def _history(self, symbol: str, table: str, before: int) -> BarColumns:
        key = (table, symbol)
        if key not in self._bars:
            bars = read_bars(self._folder / table / f"{symbol}.parquet")
            self._bars[key] = bars[: int(np.searchsorted(bars.timestamp, before))]
        return self._bars[key]


def clock_time(text: str) -> time:
    """A wall time such as 09:30. Raises DataError."""
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"{text!r} is not a time of the day.", "Write it as 09:30.") from error


def weekday_after(day: date) -> date:
    day += timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day
