"""A simulated tape: geometric Brownian motion with stochastic volatility, correlated by a market factor, from a seed.

Events are drawn in blocks of one second, so the tape does not depend on how often it is asked. Prices are whole cents,
sizes mostly round lots, spreads and message rates follow the shape of a trading day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from engine.domain.market import NANOSECONDS, Quote, Trade, is_crypto
from engine.exchange.assets import profile
from engine.exchange.prices.base import BarColumns, Floats
from engine.exchange.prices.events import TapeEvent
from engine.exchange.prices.history import SESSION_SECONDS, History
from engine.exchange.prices.shape import MINUTE, activity, in_regular_hours, minute_of_day, pace

RECENT = 15
"""Minutes that the tape has run when the exchange opens its doors."""
LIVELINESS = 1.6
"""The live tape's volatility as a multiple of the real one, so that a chart moves while someone looks at it."""
EVENT_RATE = 2.6
"""Mean number of decisions a second and symbol; about one in two gives a quote alone, the others a print as well."""
_SUBSTEPS = 8
_VOLATILITY_PULL, _VOLATILITY_NOISE = 1 / 900, 0.012
_HOME_PULL = 1 / 14_400
_STOCK_VENUES = ("V", "Q", "N", "P", "Z", "D")
_CONDITIONS = ("@",)


class SyntheticPrices:
    """`levels` overrides the price of a symbol at `start`, such as the last one of an earlier run.

    With `regular_hours`, stocks trade from 09:30 to 16:00 New York on weekdays only; otherwise round the clock.
    """

    end: int | None = None

    def __init__(
        self,
        symbols: Sequence[str],
        seed: int,
        start: int,
        *,
        levels: Mapping[str, float] | None = None,
        regular_hours: bool = False,
        recent: int = RECENT,
    ) -> None:
        self.symbols = tuple(symbols)
        self.start = start
        self.tape_start = (start - recent * MINUTE) // MINUTE * MINUTE
        self._regular_hours = regular_hours
        self._profiles = [profile(symbol) for symbol in self.symbols]
        first = {symbol: (levels or {}).get(symbol, profile(symbol).level) for symbol in self.symbols}
        self._history = History(seed, self.tape_start, first, regular_hours=regular_hours)
        self._random = np.random.default_rng((seed, 0))
        self._block = self.tape_start
        self._pending: list[TapeEvent] = []
        self._next_trade_id = 1
        self._crypto = np.array([is_crypto(symbol) for symbol in self.symbols])
        self._home = np.log([known.level for known in self._profiles])
        self._first = np.log([first[symbol] for symbol in self.symbols])
        self._log_price = self._first
        self._log_volatility = np.zeros(len(self.symbols))
        self._sigma = LIVELINESS * np.array([known.volatility for known in self._profiles]) / np.sqrt(SESSION_SECONDS)
        self._common = np.array([known.correlation for known in self._profiles])
        self._own = np.sqrt(1 - self._common**2)
        self._levels, self._rates = self._minute(self.tape_start)
        self._quoted: list[tuple[int, int]] = [(0, 0)] * len(self.symbols)

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return self._history.minute_bars(symbol, start, end)

    def daily_bars(self, symbol: str) -> BarColumns:
        return self._history.daily_bars(symbol)

    def step(self, until: int) -> list[TapeEvent]:
        events = self._pending
        while self._block <= until:
            events += self._second(self._block)
            self._block += NANOSECONDS
        cut = len(events)
        while cut and events[cut - 1].timestamp > until:
            cut -= 1
        self._pending = events[cut:]
        return events[:cut]

    def _second(self, start: int) -> list[TapeEvent]:
        if start % MINUTE == 0:
            self._levels, self._rates = self._minute(start)
        levels = self._levels
        paths = self._paths(levels)
        counts = self._random.poisson(self._rates)
        draws = self._random.random((int(counts.sum()), 6)).tolist()
        events: list[TapeEvent] = []
        row = 0
        for index, count in enumerate(counts.tolist()):
            path = paths[:, index].tolist()
            for draw in sorted(draws[row : row + count]):
                events += self._decide(index, start + int(draw[0] * NANOSECONDS), path[int(draw[0] * _SUBSTEPS)], draw)
            row += count
        events.sort(key=lambda event: event.timestamp)
        return events

    def _minute(self, start: int) -> tuple[Floats, Floats]:
        """Volatility levels and event rates of the symbols in this minute."""
        at = np.array([start], np.int64)
        levels = np.where(self._crypto, 1.0, activity(minute_of_day(at))[0])
        rates = EVENT_RATE * pace(levels, self._regular_hours)
        if self._regular_hours and not in_regular_hours(at)[0]:
            rates = np.where(self._crypto, rates, 0.0)
        return levels, rates

    def _paths(self, levels: Floats) -> Floats:
        """The mid prices of this second, shape (substeps, symbols); advances the state by one second."""
        count = len(self.symbols)
        noise = self._random.standard_normal((_SUBSTEPS + 1, count))
        market = self._random.standard_normal((_SUBSTEPS, 1))
        sigma = self._sigma * levels * np.exp(self._log_volatility) / np.sqrt(_SUBSTEPS)
        path = self._log_price + np.cumsum(sigma * (self._common * market + self._own * noise[:-1]), axis=0)
        self._log_price = path[-1] + _HOME_PULL * (self._home - path[-1])
        self._log_price += self._bridge(self._log_price)
        self._log_volatility += _VOLATILITY_NOISE * noise[-1] - _VOLATILITY_PULL * self._log_volatility
        mids: Floats = np.exp(path)
        return mids

    def _bridge(self, log_price: Floats) -> Floats:
        """Until the doors open the path is a Brownian bridge: it opens at the price that an earlier run ended with."""
        seconds = (self.start - self._block) // NANOSECONDS
        if seconds < 0:
            return np.zeros(len(log_price))
        return (self._first - log_price) / (seconds + 1)

    def _decide(self, index: int, at: int, mid: float, draw: list[float]) -> list[TapeEvent]:
        """One moment of one symbol: a fresh quote, or a print inside a quote that is as fresh as it."""
        known = self._profiles[index]
        spread = max(1, round(known.spread_bps * mid * 0.01 * (0.6 - math.log(1 - draw[1]) * 0.5)))
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
            size, venue, conditions = round(0.0005 + draw[4] ** 4 * 0.6, 4), "", ()
            return Trade(self.symbols[index], cents / 100, size, at, venue, conditions, self._next_trade_id)
        known = self._profiles[index]
        odd = draw[5] < 0.15
        size = float(1 + int(draw[4] * 98)) if odd else 100.0 * known.lots * (1 + int(draw[4] ** 6 * 14))
        venue = _STOCK_VENUES[int(draw[5] * len(_STOCK_VENUES))]
        return Trade(self.symbols[index], cents / 100, size, at, venue, _CONDITIONS, self._next_trade_id)
