"""A simulated tape: quotes and prints around the mid prices of a seeded simulation.

Events are drawn in blocks of one second, so the tape does not depend on how often it is asked. Prices are whole cents,
sizes mostly round lots, spreads and message rates follow the shape of a trading day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS, Quote, Trade, is_crypto
from engine.exchange.assets import profile
from engine.exchange.conditions import CLOSING, OPENING, REGULAR
from engine.exchange.prices.base import BarColumns, Floats
from engine.exchange.prices.events import PAUSED, TapeEvent
from engine.exchange.prices.halts import PAUSE, Halts, PriceBands
from engine.exchange.prices.history import History
from engine.exchange.prices.paths import SUBSTEPS, Paths
from engine.exchange.prices.reporting import Reporting
from engine.exchange.prices.shape import MINUTE, activity, minute_of_day, pace
from engine.exchange.sessions import Sessions

RECENT = 15
"""Minutes that the tape has run when the exchange opens its doors."""
EVENT_RATE = 2.6
"""Mean number of decisions a second and symbol; about one in two gives a quote alone, the others a print as well."""
_PRINT_RATE = EVENT_RATE / 2 * 3600
_STOCK_VENUES = ("V", "Q", "N", "P", "Z", "D")
_CONDITIONS = (REGULAR,)
_OPENING_SIZE, _CLOSING_SIZE = 110_000.0, 450_000.0
"""Shares of an auction for a stock of usual size: about one and six percent of the day's volume."""
_CROSS_NOISE = 0.5
"""How far the mid of a further venue strays from the common one, in half spreads."""


class Texture(msgspec.Struct, frozen=True):
    """What is drawn around the mids. The defaults are a calm venue."""

    venue: int = 0
    """0 quotes around the mids themselves; each other number has noise of its own around the same mids."""
    spread: float = 1.0
    """The quoted spread as a multiple of the usual one."""
    jumps_per_day: float = 1.0
    """Jumps of a symbol in 24 hours; a large one pauses a stock."""
    revisions_per_hour: float = 0.5
    """Late prints of a stock in an hour, and as many corrections, and as many cancellations."""


class SyntheticPrices:
    """`levels` overrides the price of a symbol at `start`, such as the last one of an earlier run.

    With `sessions`, stocks trade when those say so, with an auction at the open and at the close; otherwise round the
    clock.
    """

    end: int | None = None

    def __init__(
        self,
        symbols: Sequence[str],
        seed: int,
        start: int,
        *,
        levels: Mapping[str, float] | None = None,
        sessions: Sessions | None = None,
        recent: int = RECENT,
        texture: Texture | None = None,
    ) -> None:
        texture = texture or Texture()
        self.symbols = tuple(symbols)
        self.start = start
        self.tape_start = (start - recent * MINUTE) // MINUTE * MINUTE
        self.halts = Halts()
        self._texture = texture
        self._sessions = sessions
        self._profiles = [profile(symbol) for symbol in self.symbols]
        self.levels = {symbol: (levels or {}).get(symbol, profile(symbol).level) for symbol in self.symbols}
        """The prices at `start`."""
        self._history = History(seed, self.tape_start, self.levels, sessions=sessions)
        self._paths = Paths(self._profiles, list(self.levels.values()), seed, start, texture.jumps_per_day)
        self._random = np.random.default_rng((seed, 2, texture.venue))
        self._reporting = Reporting((seed, 3, texture.venue), texture.revisions_per_hour / _PRINT_RATE)
        self._block = self.tape_start
        self._pending: list[TapeEvent] = []
        self._next_trade_id = 1
        self._crypto = np.array([is_crypto(symbol) for symbol in self.symbols])
        self._bands = PriceBands(self.symbols, ~self._crypto)
        self._stray = np.zeros(len(self.symbols))
        self._opens = self._closes = False
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
        return self.halts.apply(events[:cut], until)

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        self.halts.halt(symbol, at, seconds)

    def _second(self, start: int) -> list[TapeEvent]:
        announced: list[TapeEvent] = []
        if start % MINUTE == 0:
            self._levels, self._rates = self._minute(start)
            announced = self._bands.announce(start) if self._rates.any() else []
        mids = self._paths.second(start, self._levels)
        self._pause(start, mids)
        mids = self._own(mids)
        events = [*self._auctions(start, mids), *self._decisions(start, mids)]
        events = [*announced, *self._reporting.report(events, start + NANOSECONDS)]
        events.sort(key=lambda event: event.timestamp)
        return events

    def _decisions(self, start: int, mids: Floats) -> list[TapeEvent]:
        counts = self._random.poisson(self._rates)
        draws = self._random.random((int(counts.sum()), 6)).tolist()
        events: list[TapeEvent] = []
        row = 0
        for index, count in enumerate(counts.tolist()):
            path = mids[:, index].tolist()
            for draw in sorted(draws[row : row + count]):
                events += self._decide(index, start + int(draw[0] * NANOSECONDS), path[int(draw[0] * SUBSTEPS)], draw)
            row += count
        return events

    def _minute(self, start: int) -> tuple[Floats, Floats]:
        """Volatility levels and event rates of the symbols in this minute; notes whether an auction is in it."""
        at = np.array([start], np.int64)
        levels = np.where(self._crypto, 1.0, activity(minute_of_day(at))[0])
        sessions = self._sessions
        rates = EVENT_RATE * pace(levels, sessions is not None)
        if sessions is not None:
            is_open = sessions.is_open(start)
            self._opens = is_open and not sessions.is_open(start - 1)
            self._closes = is_open and not sessions.is_open(start + MINUTE)
            rates = np.where(self._crypto | is_open, rates, 0.0)
        return levels, rates

    def _pause(self, start: int, mids: Floats) -> None:
        for index, step in self._bands.pauses(mids):
            if self._rates[index]:
                self.halts.halt(self.symbols[index], start + step * NANOSECONDS // SUBSTEPS, PAUSE, PAUSED)

    def _own(self, mids: Floats) -> Floats:
        """The mids as this venue sees them."""
        if not self._texture.venue:
            return mids
        noise = self._random.standard_normal(len(self.symbols))
        self._stray = 0.9 * self._stray + math.sqrt(1 - 0.81) * noise
        half = np.array([known.spread_bps for known in self._profiles]) / 20_000
        strayed: Floats = mids * (1 + _CROSS_NOISE * half * self._stray)
        return strayed

    def _auctions(self, start: int, mids: Floats) -> list[TapeEvent]:
        """The first print of the session and its last, in its last nanosecond so that the last minute has it."""
        if self._opens and start % MINUTE == 0:
            return self._cross(start + 1, mids[0], OPENING, _OPENING_SIZE)
        if self._closes and start % MINUTE == MINUTE - NANOSECONDS:
            return self._cross(start + NANOSECONDS - 1, mids[-1], CLOSING, _CLOSING_SIZE)
        return []

    def _cross(self, at: int, mids: Floats, condition: str, usual: float) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        noise = np.exp(0.4 * self._random.standard_normal(len(self.symbols))).tolist()
        for index in np.flatnonzero(~self._crypto):
            known = self._profiles[index]
            size = float(round(usual * known.lots * noise[index] / 100) * 100)
            price = max(round(float(mids[index]), 2), 0.01)
            self._next_trade_id += 1
            venue = "Q" if known.exchange == "NASDAQ" else "P" if known.exchange == "ARCA" else "N"
            events.append(Trade(self.symbols[index], price, size, at, venue, (condition,), self._next_trade_id))
        return events

    def _decide(self, index: int, at: int, mid: float, draw: list[float]) -> list[TapeEvent]:
        """One moment of one symbol: a fresh quote, or a print inside a quote that is as fresh as it."""
        bps = self._profiles[index].spread_bps * self._texture.spread
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
            size, venue, conditions = round(0.0005 + draw[4] ** 4 * 0.6, 4), "", ()
            return Trade(self.symbols[index], cents / 100, size, at, venue, conditions, self._next_trade_id)
        known = self._profiles[index]
        odd = draw[5] < 0.15
        size = float(1 + int(draw[4] * 98)) if odd else 100.0 * known.lots * (1 + int(draw[4] ** 6 * 14))
        venue = _STOCK_VENUES[int(draw[5] * len(_STOCK_VENUES))]
        return Trade(self.symbols[index], cents / 100, size, at, venue, _CONDITIONS, self._next_trade_id)
