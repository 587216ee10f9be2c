"""Prices after corporate actions: a source that knows of none, and what each action makes of it from its time on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from engine.domain.market import Quote, Trade
from engine.exchange.corporate import Calendar
from engine.exchange.prices.base import BarColumns, Floats, PriceSource
from engine.exchange.prices.events import Bands, Cancellation, Correction, LatePrint, TapeEvent
from engine.exchange.sessions import midnight

MINUTE = 60_000_000_000


class ActedPrices:
    """A PriceSource around another. Bars and events from before an action stay as they were."""

    def __init__(self, source: PriceSource, actions: Calendar) -> None:
        self.inner = source
        self.symbols = source.symbols
        self._actions = actions

    @property
    def tape_start(self) -> int:
        return self.inner.tape_start

    @property
    def start(self) -> int:
        return self.inner.start

    @property
    def end(self) -> int | None:
        return self.inner.end

    def step(self, until: int) -> list[TapeEvent]:
        events = self.inner.step(until)
        acted = {symbol for symbol in self.symbols if self._actions.factor(symbol, until) != 1.0}
        return [self._event(event) if event.symbol in acted else event for event in events] if acted else events

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        self.inner.halt(symbol, at, seconds)

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return self._bars(symbol, self.inner.minute_bars(symbol, start, end), lambda at: at - at % MINUTE)

    def daily_bars(self, symbol: str) -> BarColumns:
        return self._bars(symbol, self.inner.daily_bars(symbol), midnight)

    def level(self, symbol: str, price: float) -> float:
        """What the inner source would call a price of now."""
        return price / self._actions.factor(symbol, 1 << 62)

    def _bars(self, symbol: str, bars: BarColumns, start_of: Callable[[int], int]) -> BarColumns:
        for action in self._actions.effective(symbol):
            bars = scale(bars, np.where(bars.timestamp >= start_of(action.effective_at), action.factor, 1.0))
        return bars

    def _event(self, event: TapeEvent) -> TapeEvent:
        match event:
            case Trade():
                return self._trade(event)
            case Quote():
                return scale_quote(event, self._actions.factor(event.symbol, event.timestamp))
            case Bands():
                factor = self._actions.factor(event.symbol, event.timestamp)
                upper, lower = in_ticks(event.upper * factor), in_ticks(event.lower * factor)
                return msgspec.structs.replace(event, upper=upper, lower=lower)
            case LatePrint() | Cancellation():
                return msgspec.structs.replace(event, trade=self._trade(event.trade))
            case Correction():
                return Correction(self._trade(event.original), self._trade(event.corrected), event.timestamp)
            case _:
                return event

    def _trade(self, trade: Trade) -> Trade:
        return scale_trade(trade, self._actions.factor(trade.symbol, trade.timestamp))


def in_ticks(price: float) -> float:
    """Whole cents, or hundredths of a cent below a dollar; an absent price stays 0."""
    return max(round(price, 2 if price >= 1 else 4), 0.0001) if price > 0 else 0.0


def scale_trade(trade: Trade, factor: float) -> Trade:
    return trade if factor == 1.0 else msgspec.structs.replace(trade, price=in_ticks(trade.price * factor))


def scale_quote(quote: Quote, factor: float) -> Quote:
    """The offer stays a tick above the bid."""
    if factor == 1.0:
        return quote
    bid, ask = in_ticks(quote.bid_price * factor), in_ticks(quote.ask_price * factor)
    if bid and ask:
        ask = max(ask, round(bid + (0.01 if bid >= 1 else 0.0001), 4))
    return msgspec.structs.replace(quote, bid_price=bid, ask_price=ask)


def scale(bars: BarColumns, prices: Floats, volumes: Floats | None = None) -> BarColumns:
    """Bars with their prices, and where it is given their volume, multiplied row by row."""
    scaled = {name: np.round(getattr(bars, name) * prices, 4) for name in ("open", "high", "low", "close")}
    volume = bars.volume if volumes is None else bars.volume * volumes
    vwap = np.round(bars.vwap * prices, 6)
    return msgspec.structs.replace(bars, **scaled, volume=volume, vwap=vwap)
