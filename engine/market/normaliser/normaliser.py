"""Let through what can be true: positive finite numbers of a time that can be, each trade once, quotes not crossed.

Both methods take a batch and make one pass over it: this is where most of the processor's time goes. Nothing is held
back to be put in order, because candles put a late print in its place by its time; what is older than the newest by
more than the window is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.market.batch import Correction
from engine.market.normaliser.outliers import PriceBand
from engine.market.normaliser.rejections import Reason, Rejections
from engine.market.normaliser.seen import Seen

LEAP = 600 * NANOSECONDS
"""How far a message may be ahead of the newest, unless the venue's own clock says that it is that late."""
LEAP_WITHOUT_CLOCK = 4 * 86_400 * NANOSECONDS
"""The same for a recording, which may go on after a long weekend."""
AHEAD_OF_CLOCK = 120 * NANOSECONDS
"""The clock is asked three times a minute, if it can be asked."""
OLDEST = 3_600 * NANOSECONDS
"""Behind the newest of its symbol."""
WITNESSES = 3
"""Messages in a row that leap ahead together: then time has leapt, and not one message gone wrong."""
RETURNS = 5
"""Old messages of a symbol in a row: then the venue's time went back, as that of a replay begun anew does."""
SAMPLE = 15
"""Of so many prints and one, one teaches the band of prices."""


class _Symbol:
    __slots__ = ("band", "behind", "countdown", "newest", "quote", "seen")

    def __init__(self) -> None:
        self.newest = 0
        self.quote: Quote | None = None
        self.seen = Seen()
        self.band = PriceBand()
        self.countdown = self.behind = 0

    def may_return(self) -> bool:
        self.behind = (self.behind + 1) % RETURNS
        return self.behind == 0


class Normaliser:
    def __init__(self) -> None:
        self.rejections = Rejections()
        self.newest = 0
        """The newest time that is believed, int nanoseconds UTC."""
        self._symbols: dict[str, _Symbol] = {}
        self._latest = 0
        self._leap = LEAP_WITHOUT_CLOCK
        self._leapt: list[int] = []

    def tell_time(self, now: int) -> None:
        """The venue's time, when it is known: messages up to it are not of the future, nor is our newest after it."""
        self._leap = LEAP
        if self.newest > now + LEAP:
            self.newest, self._latest = now, 0
        self._latest = max(self._latest, now + AHEAD_OF_CLOCK)

    def forget(self, symbol: str) -> None:
        self._symbols.pop(symbol, None)

    def quote(self, symbol: str) -> Quote | None:
        """The newest that was let through."""
        state = self._symbols.get(symbol)
        return state.quote if state is not None else None

    def time_of(self, symbol: str) -> int:
        """Of the newest message of this symbol; 0 = none."""
        state = self._symbols.get(symbol)
        if state is None:
            return 0
        return max(state.newest, state.quote.timestamp if state.quote is not None else 0)

    def trades(self, trades: Iterable[Trade]) -> list[Trade]:
        kept: list[Trade] = []
        symbols, limit, infinite = self._symbols, self._latest, math.inf
        for trade in trades:
            price, at = trade.price, trade.timestamp
            if not (0.0 < price < infinite and 0.0 < trade.size < infinite and at > 0):
                self.rejections.add(Reason.ABSURD, trade)
                continue
            if at > limit:
                if not self._may_leap(at):
                    self.rejections.add(Reason.FUTURE, trade)
                    continue
                limit = self._latest
            symbol = trade.symbol
            state = symbols.get(symbol)
            if state is None:
                state = symbols[symbol] = _Symbol()
            if at > state.newest:
                state.newest = at
            elif at < state.newest - OLDEST:
                if not state.may_return():
                    self.rejections.add(Reason.STALE, trade)
                    continue
                state.newest = at
            number = trade.trade_id
            if number and not state.seen.add(number, trade.exchange, at):
                self.rejections.add(Reason.DUPLICATE, trade)
                continue
            band = state.band
            if not band.low <= price <= band.high and not self._believed(state, trade):
                self.rejections.add(Reason.OUTLIER, trade)
                continue
            if state.countdown:
                state.countdown -= 1
            else:
                self._learn(state, trade)
            kept.append(trade)
        if kept:
            self._move_time(kept)
        return kept

    def quotes(self, quotes: Sequence[Quote]) -> list[Quote]:
        """A crossed quote (bid above ask) is a torn one; a locked one happens. The newest of each symbol is kept here."""
        kept: list[Quote] = []
        symbols, limit, infinite = self._symbols, self._latest, math.inf
        for quote in quotes:
            bid, ask, at = quote.bid_price, quote.ask_price, quote.timestamp
            if not (
                0.0 <= bid < infinite and 0.0 <= ask < infinite and at > 0 and quote.bid_size >= 0.0 <= quote.ask_size
            ):
                self.rejections.add(Reason.ABSURD, quote)
                continue
            if bid > ask > 0.0:
                self.rejections.add(Reason.CROSSED, quote)
                continue
            if at > limit:
                if not self._may_leap(at):
                    self.rejections.add(Reason.FUTURE, quote)
                    continue
                limit = self._latest
            state = symbols.get(quote.symbol)
            if state is None:
                state = symbols[quote.symbol] = _Symbol()
            newest = state.quote
            if newest is not None and at < newest.timestamp and not state.may_return():
                self.rejections.add(Reason.STALE, quote)
                continue
            state.quote = quote
            kept.append(quote)
        if kept:
            self._move_time(kept)
        return kept

    def corrections(self, corrections: Iterable[Correction], known: Collection[str]) -> list[Correction]:
        """Those whose new price and size can be true, of symbols that are watched."""
        kept: list[Correction] = []
        for correction in corrections:
            new = correction.replacement
            if new is not None and not (0.0 < new.price < math.inf and 0.0 < new.size < math.inf):
                self.rejections.add(Reason.ABSURD, correction)
            elif correction.symbol in known:
                kept.append(correction)
        return kept

    def _move_time(self, kept: Sequence[Trade] | Sequence[Quote]) -> None:
        newest = max([message.timestamp for message in kept])
        if newest > self.newest:
            self.newest = newest
            self._latest = max(self._latest, newest + self._leap)
            self._leapt.clear()

    def _may_leap(self, at: int) -> bool:
        """The first message of all; or several in a row that agree."""
        if self.newest == 0 and self._latest == 0:
            self._latest = at + self._leap
            return True
        self._leapt = [other for other in self._leapt if abs(other - at) <= LEAP]
        self._leapt.append(at)
        if len(self._leapt) < WITNESSES:
            return False
        self._latest = at + self._leap
        return True

    @staticmethod
    def _believed(state: _Symbol, trade: Trade) -> bool:
        if state.quote is not None:
            state.band.quote(state.quote)
        return state.band.believes(trade)

    @staticmethod
    def _learn(state: _Symbol, trade: Trade) -> None:
        state.countdown = SAMPLE
        if state.quote is not None:
            state.band.quote(state.quote)
        state.band.learn(trade)
