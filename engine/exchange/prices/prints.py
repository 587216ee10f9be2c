"""Quotes and prints of one venue around given mid prices: whole cents, mostly round lots, spreads that vary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from engine.domain.market import NANOSECONDS, Quote, Trade, is_crypto
from engine.exchange.assets import Profile
from engine.exchange.conditions import CLOSING, EXTENDED, OPENING, REGULAR
from engine.exchange.prices.base import Floats
from engine.exchange.prices.events import TapeEvent
from engine.exchange.prices.paths import SUBSTEPS

EVENT_RATE = 2.6
"""Mean number of decisions a second and symbol; about one in two gives a quote alone, the others a print as well."""
PRINTS_PER_HOUR = EVENT_RATE / 2 * 3600
_STOCK_VENUES = ("V", "Q", "N", "P", "Z", "D")
_CONDITIONS: tuple[str, ...] = (REGULAR,)
_EXTENDED_CONDITIONS: tuple[str, ...] = (REGULAR, EXTENDED)
_EXTENDED_SPREAD = 3.0
"""The spread of a stock in extended hours as a multiple of that in session."""
_OPENING_SIZE, _CLOSING_SIZE = 110_000.0, 450_000.0
"""Shares of an auction for a stock of usual size: about one and six percent of the day's volume."""


class Prints:
    """`spread` is a multiple of the profiles' spreads. What is drawn comes from `random`."""

    def __init__(
        self, symbols: tuple[str, ...], profiles: Sequence[Profile], spread: float, random: np.random.Generator
    ) -> None:
        self.symbols = symbols
        self._profiles = profiles
        self._spread = spread
        self._random = random
        self._crypto = np.array([is_crypto(symbol) for symbol in symbols])
        self._next_trade_id = 1
        self._extended = False
        self._quoted: list[tuple[int, int]] = [(0, 0)] * len(symbols)

    def second(self, start: int, mids: Floats, rates: Floats, extended: bool) -> list[TapeEvent]:
        """The quotes and prints of a second around `mids`, shape (SUBSTEPS, symbols), at `rates` a symbol; not in order
        over symbols. `extended` says that it is in extended hours.
        """
        self._extended = extended
        counts = self._random.poisson(rates)
        draws = self._random.random((int(counts.sum()), 6)).tolist()
        events: list[TapeEvent] = []
        row = 0
        for index, count in enumerate(counts.tolist()):
            path = mids[:, index].tolist()
            for draw in sorted(draws[row : row + count]):
                events += self._decide(index, start + int(draw[0] * NANOSECONDS), path[int(draw[0] * SUBSTEPS)], draw)
            row += count
        return events

    def opening(self, at: int, mids: Floats) -> list[TapeEvent]:
        """One print of each stock."""
        return self._cross(at, mids, OPENING, _OPENING_SIZE)

    def closing(self, at: int, mids: Floats) -> list[TapeEvent]:
        return self._cross(at, mids, CLOSING, _CLOSING_SIZE)

    def _cross(self, at: int, mids: Floats, condition: str, usual: float) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        noise = np.exp(0.4 * self._random.standard_normal(len(self.symbols))).tolist()
        for index in np.flatnonzero(~self._crypto).tolist():
            known = self._profiles[index]
            size = float(round(usual * known.lots * noise[index] / 100) * 100)
            price = max(round(float(mids[index]), 2), 0.01)
            self._next_trade_id += 1
            venue = "Q" if known.exchange == "NASDAQ" else "P" if known.exchange == "ARCA" else "N"
            events.append(Trade(self.symbols[index], price, size, at, venue, (condition,), self._next_trade_id))
        return events

    def _decide(self, index: int, at: int, mid: float, draw: list[float]) -> list[TapeEvent]:
        """One moment of one symbol: a fresh quote, or a print inside a quote that is as fresh as it."""
        bps = self._profiles[index].spread_bps * self._spread
        if self._extended and not self._crypto[index]:
            bps *= _EXTENDED_SPREAD
        spread = max(1, round(bps * mid * 0.01 * (0.6 - math.log(1 - draw[1]) * 0.5)))
        bid = max(1, round(mid * 100 - spread / 2))
        prints = draw[2] < 0.5
        events: list[TapeEvent] = []
        if not prints or self._quoted[index] != (bid, bid + spread):
            self._quoted[index] = (bid, bid + spread)
            events.append(self._quote(index, at, bid, bid + spread, draw))
        if prints:
            events.append(self._trade(index, at, bid, bid + spread, draw))
        return events

    def _quote(self, index: int, at: int, bid: int, ask: int, draw: list[float]) -> Quote:
        if self._crypto[index]:
            sizes = (round(0.02 + draw[3] * 1.5, 4), round(0.02 + draw[4] * 1.5, 4))
        else:
            sizes = (100.0 * (1 + int(draw[3] ** 2 * 12)), 100.0 * (1 + int(draw[4] ** 2 * 12)))
        return Quote(self.symbols[index], bid / 100, sizes[0], ask / 100, sizes[1], at)

    def _trade(self, index: int, at: int, bid: int, ask: int, draw: list[float]) -> Trade:
        cents = bid if draw[3] < 0.46 else ask if draw[3] < 0.92 else (bid + ask) // 2
        self._next_trade_id += 1
        if self._crypto[index]:
            size = round(0.0005 + draw[4] ** 4 * 0.6, 4)
            return Trade(self.symbols[index], cents / 100, size, at, trade_id=self._next_trade_id)
        known = self._profiles[index]
        odd = draw[5] < 0.15
        size = float(1 + int(draw[4] * 98)) if odd else 100.0 * known.lots * (1 + int(draw[4] ** 6 * 14))
        venue = _STOCK_VENUES[int(draw[5] * len(_STOCK_VENUES))]
        conditions = _EXTENDED_CONDITIONS if self._extended else _CONDITIONS
        return Trade(self.symbols[index], cents / 100, size, at, venue, conditions, self._next_trade_id)
