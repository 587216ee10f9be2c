"""What the market has printed: trades, quotes and bars of every symbol up to now, for the data routes and streams."""

from __future__ import annotations

from engine.domain.market import Bar, Quote, Trade, is_crypto
from engine.exchange.bar_tape import BarTape
from engine.exchange.columns import Columns
from engine.exchange.conditions import is_auction
from engine.exchange.prices.acted import scale_quote, scale_trade
from engine.exchange.prices.base import BarColumns, PriceSource
from engine.exchange.prices.events import Bands, Cancellation, Correction, LatePrint, Status, TapeEvent
from engine.market.normaliser.conditions import updates

TICK_LIMIT = 10_000
AUCTION_LIMIT = 2_000


class SymbolTape:
    """One symbol. Trades: time, price, size, exchange, conditions, id. Quotes: time, bid, its size, ask, its size.

    Prints that come late, corrections and cancellations change the trades and the bars of their time.
    """

    def __init__(self, symbol: str, source: PriceSource, tick_limit: int) -> None:
        self.symbol = symbol
        self.trades = Columns("qddOOq", tick_limit)
        self.quotes = Columns("qdddd", tick_limit)
        self.auctions = Columns("qddOOq", AUCTION_LIMIT)
        """The prints of opening and closing auctions, with the columns of `trades`."""
        self.bars = BarTape(symbol, source)
        self.trade: Trade | None = None
        self.quote: Quote | None = None
        self.status: Status | None = None
        self.unapplied = 0
        """Late prints, corrections and cancellations of a time whose trades are no longer kept."""
        self._source = source

    @property
    def last_minute(self) -> Bar | None:
        return self.bars.last_minute

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
        self.trade = trade
        conditions = trade.conditions
        self.trades.append(trade.timestamp, trade.price, trade.size, trade.exchange, conditions, trade.trade_id)
        if conditions and is_auction(conditions):
            self.auctions.append(*_row(trade))
        return self.bars.add(trade, updates(trade.tape, trade.conditions), in_session)

    def on_late(self, late: LatePrint) -> Bar | None:
        """Each of these returns the closed minute bar as it has become, if it has changed."""
        if not self._is_kept(late.trade):
            return None
        self.trades.insert(*_row(late.trade))
        return self._revise(late.trade)

    def on_correction(self, correction: Correction) -> Bar | None:
        index = self._find(correction.original)
        if index is None:
            return None
        self.trades.replace(index, *_row(correction.corrected))
        if self.trade is not None and self.trade.trade_id == correction.original.trade_id:
            self.trade = correction.corrected
        return self._revise(correction.original)

    def on_cancellation(self, cancellation: Cancellation) -> Bar | None:
        index = self._find(cancellation.trade)
        if index is None:
            return None
        self.trades.remove(index)
        if self.trade is not None and self.trade.trade_id == cancellation.trade.trade_id:
            self.trade = self.trade_at(len(self.trades) - 1) if len(self.trades) else None
        return self._revise(cancellation.trade)

    def trade_at(self, index: int) -> Trade:
        return self._print(self.trades, index)

    def auction_at(self, index: int) -> Trade:
        return self._print(self.auctions, index)

    def _print(self, table: Columns, index: int) -> Trade:
        at, price, size, exchange, conditions, trade_id = table.row(index)
        return Trade(self.symbol, price, size, at, exchange, conditions, trade_id)

    def rescale(self, factor: float, now: int) -> None:
        """A corporate action moves the price: what is not yet history goes with it."""
        self.trade = None if self.trade is None else scale_trade(self.trade, factor)
        self.quote = None if self.quote is None else scale_quote(self.quote, factor)
        self.bars.rescale(factor, now)

    def close_minute(self, now: int) -> Bar | None:
        """Close the growing minute if `now` is past its end."""
        return self.bars.close_minute(now)

    def today(self, now: int) -> Bar | None:
        """The day so far, or None before its first print."""
        return self.bars.today(now)

    def minute_bars(self, start: int, end: int) -> BarColumns:
        """Closed minutes whose start is in [start, end], history and tape joined."""
        return self.bars.minutes(start, end)

    def daily_bars(self, start: int, end: int, now: int) -> BarColumns:
        """Whole days whose start is in [start, end], and today as far as it goes."""
        return self.bars.days(start, end, now)

    def _is_kept(self, trade: Trade) -> bool:
        start = BarTape.minute_of(trade.timestamp)
        if start >= self._source.tape_start and self.trades.holds(start):
            return True
        self.unapplied += 1
        return False

    def _find(self, trade: Trade) -> int | None:
        if not self._is_kept(trade):
            return None
        for index in self.trades.span(trade.timestamp, trade.timestamp):
            if self.trades.columns[-1][index] == trade.trade_id:
                return index
        self.unapplied += 1
        return None

    def _revise(self, trade: Trade) -> Bar | None:
        start = BarTape.minute_of(trade.timestamp)
        prints = [self.trade_at(i) for i in self.trades.span(start, BarTape.end_of(start) - 1)]
        return self.bars.revise(start, [(found, updates(found.tape, found.conditions)) for found in prints])


class Tape:
    """All symbols of the exchange. `on_event` takes the events of the source in order."""

    def __init__(self, source: PriceSource, tick_limit: int = TICK_LIMIT) -> None:
        self.symbols = {symbol: SymbolTape(symbol, source, tick_limit) for symbol in source.symbols}
        self._revised: list[Bar] = []

    def on_event(self, event: TapeEvent, in_session: bool) -> Bar | None:
        """Returns the minute bar that the event closes, if any."""
        symbol = self.symbols[event.symbol]
        if isinstance(event, Quote):
            symbol.on_quote(event)
        elif isinstance(event, Trade):
            return symbol.on_trade(event, in_session or is_crypto(event.symbol))
        else:
            self._on_announcement(symbol, event)
        return None

    def _on_announcement(
        self, symbol: SymbolTape, event: Status | Bands | LatePrint | Correction | Cancellation
    ) -> None:
        match event:
            case Status():
                symbol.status = event
            case LatePrint():
                self._note(symbol.on_late(event))
            case Correction():
                self._note(symbol.on_correction(event))
            case Cancellation():
                self._note(symbol.on_cancellation(event))

    def close_minutes(self, now: int) -> list[Bar]:
        """The bars of every minute that has ended by `now`."""
        return [bar for symbol in self.symbols.values() if (bar := symbol.close_minute(now)) is not None]

    def take_revised(self) -> list[Bar]:
        """The closed minute bars that have changed since the last time somebody asked."""
        revised, self._revised = self._revised, []
        return revised

    def _note(self, bar: Bar | None) -> None:
        if bar is not None:
            self._revised.append(bar)


def _row(trade: Trade) -> tuple[object, ...]:
    return (trade.timestamp, trade.price, trade.size, trade.exchange, trade.conditions, trade.trade_id)
