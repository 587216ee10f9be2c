"""Let through what can be true: positive finite numbers of a time that can be, each trade once, quotes not crossed.

Both methods take a batch and make one pass over it, because this is where most of the processor's time goes: what is
plainly good passes by one condition, everything else is judged by name. Nothing is held back to be put in order, because
candles put a late print in its place by its time; what is older than the newest by more than the window is refused.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.market.batch import Correction
from engine.market.normaliser.outliers import PriceBand
from engine.market.normaliser.rejections import Reason, Rejections
from engine.market.normaliser.seen import Seen

M = TypeVar("M", Trade, Quote)

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
SAMPLE = 17
"""Of so many prints one teaches the band of prices; a prime, so that symbols which take turns are all met."""


FORGET_EVERY = 20_000
"""Prints of all symbols from one look at what is still known of them to the next."""


class _Symbol:
    __slots__ = ("band", "behind", "newest", "quote", "quoted", "seen")

    def __init__(self) -> None:
        self.newest = 0
        """The time of the newest print; goes back when the venue's time does."""
        self.quote: Quote | None = None
        self.quoted = 1
        """The time of the quote; what is not after 0 is no time."""
        self.seen = Seen()
        self.band = PriceBand()
        self.behind = 0

    def may_return(self) -> bool:
        self.behind = (self.behind + 1) % RETURNS
        return self.behind == 0


class _Symbols(dict[str, _Symbol]):
    def __missing__(self, symbol: str) -> _Symbol:
        state = self[symbol] = _Symbol()
        return state


class Normaliser:
    def __init__(self) -> None:
        self.rejections = Rejections()
        self.newest = 0
        """The newest time that is believed, int nanoseconds UTC."""
        self._symbols = _Symbols()
        self._until_sample = 0
        self._until_forgetting = FORGET_EVERY
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

    def forget_quote(self, symbol: str) -> None:
        if (state := self._symbols.get(symbol)) is not None:
            state.quote, state.quoted = None, 1

    def quote(self, symbol: str) -> Quote | None:
        """The newest that was let through."""
        state = self._symbols.get(symbol)
        return state.quote if state is not None else None

    def time_of(self, symbol: str) -> int:
        """Of the newest message of this symbol; 0 = none."""
        state = self._symbols.get(symbol)
        if state is None:
            return 0
        return max(state.newest, state.quoted if state.quote is not None else 0)

    def trades(self, trades: Sequence[Trade]) -> Sequence[Trade]:
        refused: list[int] = []
        symbols, limit, infinite, newest = self._symbols, self._latest, math.inf, self.newest
        for index, trade in enumerate(trades):
            state, at, number = symbols[trade.symbol], trade.timestamp, trade.trade_id
            seen, band = state.seen, state.band
            if seen.newest < at <= limit and band.low <= trade.price <= band.high and 0.0 < trade.size < infinite:
                state.newest = seen.newest = at  # and what `Seen.add` does with a print that is later than all
                seen.times.append(at)
                seen.ids.append(number)
                seen.exchanges.append(trade.exchange)
                if at > newest:
                    newest = at
            else:
                if (reason := self._judge_trade(state, trade)) is not None:
                    refused.append(self._refuse(reason, trade, index))
                limit = self._latest
        self._move_time(newest)
        kept = self._kept(trades, refused)
        self._learn(kept)
        self._forget(len(trades))
        return kept

    def quotes(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        """A crossed quote (bid above ask) is a torn one; a locked one happens. The newest of each symbol is kept here."""
        refused: list[int] = []
        symbols, limit, infinite, newest = self._symbols, self._latest, math.inf, self.newest
        for index, quote in enumerate(quotes):
            state, at = symbols[quote.symbol], quote.timestamp
            if (
                state.quoted <= at <= limit
                and 0.0 <= quote.bid_price <= quote.ask_price < infinite
                and quote.bid_size >= 0.0 <= quote.ask_size
            ):
                state.quote, state.quoted = quote, at
                if at > newest:
                    newest = at
            else:
                if (reason := self._judge_quote(state, quote)) is not None:
                    refused.append(self._refuse(reason, quote, index))
                limit = self._latest
        self._move_time(newest)
        return self._kept(quotes, refused)

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

    def _judge_trade(self, state: _Symbol, trade: Trade) -> Reason | None:
        """Why it is refused. Each check trusts what those before it have let through."""
        price, at = trade.price, trade.timestamp
        if not (0.0 < price < math.inf and 0.0 < trade.size < math.inf and at > 0):
            return Reason.ABSURD
        if at > self._latest and not self._may_leap(at):
            return Reason.FUTURE
        if at < state.newest - OLDEST and not state.may_return():
            return Reason.STALE
        if at > state.newest or at < state.newest - OLDEST:
            state.newest = at
            self._move_time(at)
        if not state.seen.add(trade.trade_id, trade.exchange, at):
            return Reason.DUPLICATE
        if not state.band.low <= price <= state.band.high and not self._believed(state, trade):
            return Reason.OUTLIER
        return None

    def _judge_quote(self, state: _Symbol, quote: Quote) -> Reason | None:
        bid, ask, at = quote.bid_price, quote.ask_price, quote.timestamp
        if not (0.0 <= bid < math.inf and 0.0 <= ask < math.inf and at > 0 and quote.bid_size >= 0.0 <= quote.ask_size):
            return Reason.ABSURD
        if bid > ask > 0.0:
            return Reason.CROSSED
        if at > self._latest and not self._may_leap(at):
            return Reason.FUTURE
        if at < state.quoted and not state.may_return():
            return Reason.STALE
        state.quote, state.quoted = quote, at
        self._move_time(at)
        return None

    def _refuse(self, reason: Reason, message: Trade | Quote, index: int) -> int:
        self.rejections.add(reason, message)
        return index

    @staticmethod
    def _kept(messages: Sequence[M], refused: Sequence[int]) -> Sequence[M]:
        """All but the refused; nearly always all, so that nothing is copied."""
        if not refused:
            return messages
        without = set(refused)
        return [message for index, message in enumerate(messages) if index not in without]

    def _move_time(self, newest: int) -> None:
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

    def _learn(self, trades: Sequence[Trade]) -> None:
        """From a sample of those that were kept."""
        at = self._until_sample
        while at < len(trades):
            trade = trades[at]
            state = self._symbols[trade.symbol]
            if state.quote is not None:
                state.band.quote(state.quote)
            state.band.learn(trade)
            at += SAMPLE
        self._until_sample = at - len(trades)

    def _forget(self, prints: int) -> None:
        """Let go of old ids now and then, not at each print."""
        self._until_forgetting -= prints
        if self._until_forgetting <= 0:
            self._until_forgetting = FORGET_EVERY
            for state in self._symbols.values():
                state.seen.forget_old()
