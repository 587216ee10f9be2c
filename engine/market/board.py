"""The newest of everything for each symbol, conflated: what a watch list shows and what a price collar needs.

Nothing is summed up here: quotes are the normaliser's newest, last price and volume those of the candles, all read when
the board is drained, however many messages came in between.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain.market import Timeframe
from engine.market.candles import Candles
from engine.market.normaliser.normaliser import Normaliser
from engine.streams.messages import QuoteState


class _Seed:
    """What a snapshot said."""

    __slots__ = ("day", "day_volume", "last", "previous_close")

    def __init__(self) -> None:
        self.last = self.previous_close = self.day_volume = 0.0
        self.day = 0


class Board:
    def __init__(self, candles: Mapping[str, Candles], normaliser: Normaliser) -> None:
        self._candles = candles
        self._normaliser = normaliser
        self._seeds: dict[str, _Seed] = {}
        self._dirty: set[str] = set()
        """Changed by something else than a message."""
        self._told: dict[str, int] = {}
        """The newest time of each symbol when it was last drained."""

    def touch(self, symbol: str) -> None:
        self._dirty.add(symbol)

    def seed(self, symbol: str, last: float, previous_close: float, day: int, day_volume: float) -> None:
        """What a snapshot knows of the day that began at `day`; a live last price is newer and stays."""
        seed = self._seeds.setdefault(symbol, _Seed())
        seed.last, seed.previous_close, seed.day, seed.day_volume = last, previous_close, day, day_volume
        self._dirty.add(symbol)

    def forget(self, symbol: str) -> None:
        self._seeds.pop(symbol, None)
        self._told.pop(symbol, None)
        self._dirty.discard(symbol)

    def drain(self) -> list[QuoteState]:
        """The states that changed since the last call."""
        changed: list[QuoteState] = []
        for symbol, candles in self._candles.items():
            now = self._normaliser.time_of(symbol)
            if symbol in self._dirty or self._told.get(symbol, 0) != now:
                self._told[symbol] = now
                changed.append(self._state(symbol, candles))
        self._dirty.clear()
        return changed

    def _state(self, symbol: str, candles: Candles) -> QuoteState:
        seed = self._seeds.setdefault(symbol, _Seed())
        quote, day = self._normaliser.quote(symbol), candles.current(Timeframe.DAY_1)
        seed.last = candles.last or seed.last
        volume = day.volume if day is not None else 0.0
        if day is None or day.timestamp <= seed.day:
            volume = max(volume, seed.day_volume)
        return QuoteState(
            symbol,
            seed.last,
            quote.bid_price if quote else 0.0,
            quote.ask_price if quote else 0.0,
            quote.bid_size if quote else 0.0,
            quote.ask_size if quote else 0.0,
            seed.previous_close,
            volume,
            self._normaliser.time_of(symbol),
        )
