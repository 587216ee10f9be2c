"""What the market has printed: trades, quotes and bars of every symbol up to now, for the data routes and streams."""

from __future__ import annotations

from datetime import time

import numpy as np

from engine.domain.market import NANOSECONDS, Bar, Quote, Timeframe, Trade, is_crypto
from engine.exchange.candles import Candle, sets_price
from engine.exchange.columns import Columns
from engine.exchange.prices.base import BarColumns, PriceSource
from engine.exchange.prices.events import TapeEvent
from engine.exchange.sessions import at_new_york, midnight, new_york

MINUTE = 60 * NANOSECONDS
BAR_LIMIT = 43_200
TICK_LIMIT = 10_000


class SymbolTape:
    """One symbol. Trades: time, price, size, exchange, conditions, id. Quotes: time, bid, its size, ask, its size."""

    def __init__(self, symbol: str, source: PriceSource, tick_limit: int) -> None:
        self.symbol = symbol
        self.trades = Columns("qddOOq", tick_limit)
        self.quotes = Columns("qdddd", tick_limit)
        self.trade: Trade | None = None
        self.quote: Quote | None = None
        self.minute: Candle | None = None
        self.last_minute: Bar | None = None
        self._day: Candle | None = None
        self._day_end = 0
        self._bars = Columns("qdddddqd", BAR_LIMIT)
        self._days = Columns("qdddddqd", 1_000)
        self._source = source

    @property
    def last_price(self) -> float:
        """The last print, or the middle of the quote, or the last close of the history; 0 when nothing is known."""
        if self.trade is not None:
            return self.trade.price
        if self.quote is not None and self.quote.mid > 0:
            return self.quote.mid
        history = self._source.minute_bars(self.symbol, 0, self._source.tape_start)
        if len(history):
            return float(history.close[-1])
        days = self._source.daily_bars(self.symbol)
        return float(days.close[-1]) if len(days) else 0.0

    def on_quote(self, quote: Quote) -> None:
        self.quote = quote
        self.quotes.append(quote.timestamp, quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)

    def on_trade(self, trade: Trade, in_session: bool) -> Bar | None:
        """Returns the minute bar that this print closes, if any."""
        closed = self.close_minute(trade.timestamp)
        self.trade = trade
        self.trades.append(trade.timestamp, trade.price, trade.size, trade.exchange, trade.conditions, trade.trade_id)
        if self.minute is None:
            self.minute = Candle(start=trade.timestamp // MINUTE * MINUTE)
        priced = sets_price(trade)
        self.minute.add(trade, priced)
        self._today(trade.timestamp).add(trade, priced and in_session)
        return closed

    def close_minute(self, now: int) -> Bar | None:
        """Close the growing minute if `now` is past its end."""
        candle = self.minute
        if candle is None or now < candle.start + MINUTE:
            return None
        self.minute = None
        if candle.open == 0.0:
            return None
        bar = candle.bar(self.symbol, Timeframe.MINUTE_1, closed=True)
        self._append(self._bars, bar)
        self.last_minute = bar
        return bar

    def today(self, now: int) -> Bar | None:
        """The day so far, or None before its first print."""
        candle = self._today(now)
        return candle.bar(self.symbol, Timeframe.DAY_1, closed=False) if candle.open else None

    def minute_bars(self, start: int, end: int) -> BarColumns:
        """Closed minutes whose start is in [start, end], history and tape joined."""
        old = self._source.minute_bars(self.symbol, start, end + 1)
        return BarColumns.join([old, _slice(self._bars, start, end)])

    def daily_bars(self, start: int, end: int, now: int) -> BarColumns:
        """Whole days whose start is in [start, end], and today as far as it goes."""
        today = self.today(now)
        old = self._source.daily_bars(self.symbol)
        first, last = np.searchsorted(old.timestamp, (start, end + 1))
        parts = [old[int(first) : int(last)], _slice(self._days, start, end)]
        if today is not None and start <= today.timestamp <= end:
            growing = Columns("qdddddqd", 1)
            self._append(growing, today)
            parts.append(_slice(growing, start, end))
        return BarColumns.join(parts)

    def _today(self, now: int) -> Candle:
        if self._day is not None and now < self._day_end:
            return self._day
        start = midnight(now)
        self._day_end = midnight(start + 36 * 60 * MINUTE)
        if self._day is None:
            self._day = self._early_today(start)
        elif self._day.start != start:
            if self._day.open:
                self._append(self._days, self._day.bar(self.symbol, Timeframe.DAY_1, closed=True))
            self._day = Candle(start=start)
        return self._day

    def _early_today(self, start: int) -> Candle:
        """The part of today that was before the tape began, from the minute bars."""
        candle = Candle(start=start)
        if is_crypto(self.symbol) or self._source.end is None:
            opens = start
        else:
            opens = at_new_york(new_york(start).date(), time(9, 30))
        early = self._source.minute_bars(self.symbol, opens, self._source.tape_start)
        if len(early):
            candle.join(_total(self.symbol, early))
        return candle

    @staticmethod
    def _append(columns: Columns, bar: Bar) -> None:
        columns.append(bar.timestamp, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count, bar.vwap)


class Tape:
    """All symbols of the exchange. `advance` takes the events of the source in order."""

    def __init__(self, source: PriceSource, tick_limit: int = TICK_LIMIT) -> None:
        self.symbols = {symbol: SymbolTape(symbol, source, tick_limit) for symbol in source.symbols}

    def on_event(self, event: TapeEvent, in_session: bool) -> Bar | None:
        """Returns the minute bar that the event closes, if any."""
        symbol = self.symbols[event.symbol]
        if isinstance(event, Quote):
            symbol.on_quote(event)
            return None
        return symbol.on_trade(event, in_session or is_crypto(event.symbol))

    def close_minutes(self, now: int) -> list[Bar]:
        """The bars of every minute that has ended by `now`."""
        return [bar for symbol in self.symbols.values() if (bar := symbol.close_minute(now)) is not None]


def _slice(columns: Columns, start: int, end: int) -> BarColumns:
    rows = columns.span(start, end)
    times, opening, high, low, close, volume, counts, vwap = (
        column[rows.start : rows.stop] for column in columns.columns
    )
    return BarColumns(
        np.array(times, np.int64),
        np.array(opening, np.float64),
        np.array(high, np.float64),
        np.array(low, np.float64),
        np.array(close, np.float64),
        np.array(volume, np.float64),
        np.array(counts, np.int64),
        np.array(vwap, np.float64),
    )


def _total(symbol: str, bars: BarColumns) -> Bar:
    volume = float(bars.volume.sum())
    return Bar(
        symbol,
        Timeframe.DAY_1,
        int(bars.timestamp[0]),
        float(bars.open[0]),
        float(bars.high.max()),
        float(bars.low.min()),
        float(bars.close[-1]),
        volume,
        int(bars.trade_count.sum()),
        float((bars.volume * bars.vwap).sum() / volume) if volume else float(bars.close[-1]),
    )
