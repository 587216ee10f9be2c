"""A recorded day as a tape: Parquet trades and one-sided quotes, joined over symbols and played in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.prices.base import BarColumns, Floats, Integers
from engine.exchange.prices.events import TapeEvent
from engine.exchange.prices.halts import Halts
from engine.exchange.prices.nbbo import BestQuotes
from engine.exchange.prices.recording import LAYOUT, choose_day, recorded_symbols
from engine.exchange.sessions import at_new_york, midnight

if TYPE_CHECKING:
    import polars

_TRADE, _QUOTE = 0, 1
MINUTE = 60 * NANOSECONDS
_TICK = 0.01


class Ticks:
    """The columns of one file, and where the replay has got to in it."""

    def __init__(self, symbol: str, kind: int, frame: polars.DataFrame) -> None:
        self.symbol = symbol
        self.kind = kind
        self.timestamps: Integers = frame["timestamp"].dt.timestamp("ns").to_numpy()
        names = ("price", "size") if kind == _TRADE else ("bid_price", "bid_size", "ask_price", "ask_size")
        self.values: list[Floats] = [_prices(frame, name) for name in names]
        self.exchanges = _words(frame, "exchange")
        self.conditions = _words(frame, "condition")
        self.suspicious = frame["suspicious"].to_list()
        self.position = 0

    def upto(self, until: int) -> slice:
        """The rows after those taken so far, up to and including `until`; takes them."""
        start = self.position
        self.position = max(int(np.searchsorted(self.timestamps, until, side="right")), start)
        return slice(start, self.position)


class ReplayPrices:
    """`symbols` empty takes all that were recorded, `day` None the first day that has trades for them.

    Symbols without quotes get one of a tick's width around each print. Raises DataError.
    """

    def __init__(self, folder: Path, symbols: Sequence[str], day: str | None = None, start_at: str = "09:30") -> None:
        self._folder = folder
        self.halts = Halts()
        self.symbols = tuple(symbols) or recorded_symbols(folder)
        self.day = choose_day(folder, self.symbols, day)
        self._ticks = [self._read(symbol, _TRADE, "trades") for symbol in self.symbols]
        quoted = [s for s in self.symbols if (folder / "quotes" / s / f"{self.day}.parquet").is_file()]
        self._books = {symbol: BestQuotes(symbol) for symbol in quoted}
        self._ticks += [self._read(symbol, _QUOTE, "quotes") for symbol in quoted]
        self._trade_ids = dict.fromkeys(self.symbols, 0)
        filled = [ticks for ticks in self._ticks if len(ticks.timestamps)]
        if not filled:
            raise DataError(f"The recording of {self.day} in {folder} is empty.", "Choose another day or folder.")
        self.tape_start = min(int(ticks.timestamps[0]) for ticks in filled)
        self.end: int | None = max(int(ticks.timestamps[-1]) for ticks in filled)
        self.start = max(at_new_york(date.fromisoformat(self.day), _clock_time(start_at)), self.tape_start)
        self._bars: dict[tuple[str, str], BarColumns] = {}

    def step(self, until: int) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        for ticks in self._ticks:
            rows = ticks.upto(until)
            if rows.start < rows.stop:
                events += self._trades(ticks, rows) if ticks.kind == _TRADE else self._quotes(ticks, rows)
        # Stable: at one instant prints come before quotes, each in the order of its file.
        events.sort(key=lambda event: event.timestamp)
        return self.halts.apply(events, until)

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        """What was recorded for that time is withheld."""
        self.halts.halt(symbol, at, seconds)

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        # The minute in which the tape begins is made from the tape.
        bars = self._history(symbol, "bars_1min", self.tape_start // MINUTE * MINUTE)
        first, last = np.searchsorted(bars.timestamp, (start, end))
        return bars[int(first) : int(last)]

    def daily_bars(self, symbol: str) -> BarColumns:
        return self._history(symbol, "bars_1day", midnight(self.start))

    def _trades(self, ticks: Ticks, rows: slice) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        symbol, number = ticks.symbol, self._trade_ids[ticks.symbol]
        made_up = symbol not in self._books
        prices, sizes = (column[rows].tolist() for column in ticks.values)
        words = zip(ticks.exchanges[rows], ticks.conditions[rows], ticks.suspicious[rows], strict=True)
        for at, price, size, (exchange, condition, suspicious) in zip(
            ticks.timestamps[rows].tolist(), prices, sizes, words, strict=True
        ):
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
        found: list[TapeEvent] = []
        for at, bid, bid_size, ask, ask_size, exchange, suspicious in zip(
            ticks.timestamps[rows].tolist(), *columns, ticks.exchanges[rows], ticks.suspicious[rows], strict=True
        ):
            if suspicious:
                continue
            quote = book.update(at, exchange, bid, bid_size, ask, ask_size)
            if quote is not None:
                found.append(quote)
        return found

    def _read(self, symbol: str, kind: int, table: str) -> Ticks:
        frame = read_parquet(self._folder / table / symbol / f"{self.day}.parquet")
        try:
            return Ticks(symbol, kind, frame)
        except Exception as error:
            # polars has an exception of its own for each way a column can be wrong
            raise DataError(f"The {table} of {symbol} on {self.day} cannot be read: {error}.", LAYOUT) from error

    def _history(self, symbol: str, table: str, before: int) -> BarColumns:
        key = (table, symbol)
        if key not in self._bars:
            self._bars[key] = _read_bars(self._folder / table / f"{symbol}.parquet", before)
        return self._bars[key]


def read_parquet(path: Path) -> polars.DataFrame:
    # Imported here because a simulated exchange never needs it, and it is slow to import.
    import polars

    try:
        return polars.read_parquet(path)
    except Exception as error:
        raise DataError(f"{path} cannot be read: {error}.", "Restore the file, or choose another recording.") from error


def _prices(frame: polars.DataFrame, name: str) -> Floats:
    """Recordings carry the noise of their arithmetic, 49.080000000000005; a fill at such a price would keep it."""
    rounded: Floats = np.round(frame[name].to_numpy().astype(np.float64), 6)
    return rounded


def _words(frame: polars.DataFrame, name: str) -> list[str]:
    """A column of few different words, each of them in memory once."""
    known: dict[str, str] = {}
    return [known.setdefault(word or "", word or "") for word in frame[name]]


def _read_bars(path: Path, before: int) -> BarColumns:
    if not path.is_file():
        return BarColumns.empty()
    frame = read_parquet(path)
    try:
        timestamps: Integers = frame["timestamp"].dt.timestamp("ns").to_numpy()
        count = int(np.searchsorted(timestamps, before))
        prices = [_prices(frame, name) for name in ("open", "high", "low", "close", "volume")]
    except Exception as error:
        raise DataError(f"The bars in {path} cannot be read: {error}.", LAYOUT) from error
    opening, high, low, close, volume = (column[:count] for column in prices)
    vwap = np.round((high + low + close) / 3, 4)
    return BarColumns(timestamps[:count], opening, high, low, close, volume, np.ones(count, np.int64), vwap)


def _clock_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"{text!r} is not a time of the day.", "Write it as 09:30.") from error
