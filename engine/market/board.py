"""The newest of everything for each symbol, conflated: what a watch list shows and what a price collar needs."""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.market import Quote, Trade
from engine.market.normaliser import sets_price
from engine.streams.messages import QuoteState


class Board:
    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._dirty: set[str] = set()
        self.watermark = 0
        """The newest venue time seen; int nanoseconds UTC."""

    def add_trades(self, trades: Iterable[Trade]) -> None:
        for trade in trades:
            state = self._state(trade.symbol)
            if sets_price(trade) or not state.last:
                state.last = trade.price
            state.day_volume += trade.size
            self._touch(trade.symbol, state, trade.timestamp)

    def add_quotes(self, quotes: Iterable[Quote]) -> None:
        for quote in quotes:
            state = self._state(quote.symbol)
            state.bid, state.bid_size = quote.bid_price, quote.bid_size
            state.ask, state.ask_size = quote.ask_price, quote.ask_size
            self._touch(quote.symbol, state, quote.timestamp)

    def seed(self, symbol: str, last: float, previous_close: float, day: int, day_volume: float) -> None:
        """What a snapshot knows of the day that began at `day`; a live last price is newer and stays."""
        state = self._state(symbol)
        state.last = state.last or last
        state.previous_close = previous_close
        state.day_volume = max(day_volume, state.day_volume) if state.day == day else day_volume
        state.day = day
        self._dirty.add(symbol)

    def forget(self, symbol: str) -> None:
        self._states.pop(symbol, None)
        self._dirty.discard(symbol)

    def drain(self) -> list[QuoteState]:
        """The states that changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        return [self._states[symbol].message(symbol) for symbol in sorted(dirty)]

    def _state(self, symbol: str) -> _State:
        if symbol not in self._states:
            self._states[symbol] = _State()
        return self._states[symbol]

    def _touch(self, symbol: str, state: _State, timestamp: int) -> None:
        state.timestamp = max(state.timestamp, timestamp)
        self.watermark = max(self.watermark, timestamp)
        self._dirty.add(symbol)


class _State:
    __slots__ = ("ask", "ask_size", "bid", "bid_size", "day", "day_volume", "last", "previous_close", "timestamp")

    def __init__(self) -> None:
        self.last = self.bid = self.ask = self.bid_size = self.ask_size = 0.0
        self.previous_close = self.day_volume = 0.0
        self.day = self.timestamp = 0

    def message(self, symbol: str) -> QuoteState:
        return QuoteState(
            symbol,
            self.last,
            self.bid,
            self.ask,
            self.bid_size,
            self.ask_size,
            self.previous_close,
            self.day_volume,
            self.timestamp,
        )
