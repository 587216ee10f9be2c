"""A simulated tape: quotes and prints around the mid prices of a seeded simulation.

Events are drawn in blocks of one second, so the tape does not depend on how often it is asked. Volatility and message
rates follow the shape of a trading day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS, is_crypto
from engine.exchange.assets import profile
from engine.exchange.phases import Agenda, Phase
from engine.exchange.prices.base import BarColumns, Floats
from engine.exchange.prices.events import PAUSED, TapeEvent
from engine.exchange.prices.halts import PAUSE, Halts, PriceBands
from engine.exchange.prices.history import History
from engine.exchange.prices.paths import SUBSTEPS, Paths
from engine.exchange.prices.prints import EVENT_RATE, PRINTS_PER_HOUR, Prints
from engine.exchange.prices.reporting import Reporting
from engine.exchange.prices.shape import MINUTE, activity, minute_of_day, pace
from engine.exchange.sessions import Sessions

RECENT = 15
"""Minutes that the tape has run when the exchange opens its doors."""
_EXTENDED_RATE = 0.05
"""Activity of a stock in extended hours as a multiple of that in session."""
_STRAY = 0.5
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

    With `sessions`, stocks trade when those say so, with an auction at the open and at the close, and thinly in the
    extended hours around them; otherwise round the clock.
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
        self._prints = Prints(self.symbols, self._profiles, texture.spread, self._random)
        self._reporting = Reporting((seed, 3, texture.venue), texture.revisions_per_hour / PRINTS_PER_HOUR)
        self._block = self.tape_start
        self._pending: list[TapeEvent] = []
        self._crypto = np.array([is_crypto(symbol) for symbol in self.symbols])
        self._bands = PriceBands(self.symbols, ~self._crypto)
        self._stray = np.zeros(len(self.symbols))
        self._opens = self._closes = self._extended = False
        self._levels, self._rates = self._minute(self.tape_start)

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
            trading = self._sessions is None or self._sessions.is_open(start)
            announced = self._bands.announce(start) if trading else []
        mids = self._paths.second(start, self._levels)
        self._pause(start, mids)
        mids = self._own(mids)
        events = [*self._auctions(start, mids), *self._prints.second(start, mids, self._rates, self._extended)]
        events = [*announced, *self._reporting.report(events, start + NANOSECONDS)]
        events.sort(key=lambda event: event.timestamp)
        return events

    def _minute(self, start: int) -> tuple[Floats, Floats]:
        """Volatility levels and event rates of the symbols in this minute; notes whether an auction is in it."""
        at = np.array([start], np.int64)
        levels = np.where(self._crypto, 1.0, activity(minute_of_day(at))[0])
        rates = EVENT_RATE * pace(levels, self._sessions is not None)
        if self._sessions is not None:
            rates = np.where(self._crypto, rates, rates * self._share(self._sessions, start))
        return levels, rates

    def _share(self, sessions: Sessions, start: int) -> float:
        """How much of its usual activity a stock has in this minute: all, little in extended hours, or none."""
        is_open = sessions.is_open(start)
        self._opens = is_open and not sessions.is_open(start - 1)
        self._closes = is_open and not sessions.is_open(start + MINUTE)
        self._extended = not is_open and Agenda(sessions).phase(start) is Phase.EXTENDED
        return 1.0 if is_open else _EXTENDED_RATE if self._extended else 0.0

    def _pause(self, start: int, mids: Floats) -> None:
        for index, step in self._bands.pauses(mids):
            if self._rates[index] and not self._extended:
                self.halts.halt(self.symbols[index], start + step * NANOSECONDS // SUBSTEPS, PAUSE, PAUSED)

    def _own(self, mids: Floats) -> Floats:
        """The mids as this venue sees them."""
        if not self._texture.venue:
            return mids
        noise = self._random.standard_normal(len(self.symbols))
        self._stray = 0.9 * self._stray + math.sqrt(1 - 0.81) * noise
        half = np.array([known.spread_bps for known in self._profiles]) / 20_000
        strayed: Floats = mids * (1 + _STRAY * half * self._stray)
        return strayed

    def _auctions(self, start: int, mids: Floats) -> list[TapeEvent]:
        """The first print of the session and its last, in its last nanosecond so that the last minute has it."""
        if self._opens and start % MINUTE == 0:
            return self._prints.opening(start + 1, mids[0])
        if self._closes and start % MINUTE == MINUTE - NANOSECONDS:
            return self._prints.closing(start + NANOSECONDS - 1, mids[-1])
        return []
