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
from engine.market.columns import Quotes
from engine.market.normaliser.rejections import Reason, Rejections
from engine.market.normaliser.symbol import Symbol, Symbols

M = TypeVar("M", Trade, Quote)

LEAP = 600 * NANOSECONDS
"""How far a message may be ahead of the newest, unless the venue's own clock says that it is that late."""
LEAP_WITHOUT_CLOCK = 4 * 86_400 * NANOSECONDS
"""The same for a recording, which may go on after a long weekend."""
END_OF_TIME = 1 << 63
"""2262, after which nanoseconds do not fit into the columns."""
AHEAD_OF_CLOCK = 120 * NANOSECONDS
"""The clock is asked three times a minute, if it can be asked."""
OLDEST = 3_600 * NANOSECONDS
"""Behind the newest of its symbol."""
WITNESSES = 3
"""Messages in a row that leap ahead together: then time has leapt, and not one message gone wrong."""
SAMPLE = 17
"""Of so many prints one teaches the band of prices; a prime, so that symbols which take turns are all met."""

FORGET_EVERY = 20_000
"""Prints of all symbols from one look at what is still known of them to the next."""


class Normaliser:
    def __init__(self) -> None:
        self.rejections = Rejections()
        self.newest = 0
        """The newest time that is believed, int nanoseconds UTC."""
        self.symbols = Symbols()
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

    def forget(self, name: str) -> None:
        self.symbols.pop(name, None)

    def forget_quote(self, name: str) -> None:
        if (symbol := self.symbols.get(name)) is not None:
            symbol.quote, symbol.quoted = None, 1

    def quote(self, name: str) -> Quote | None:
        """The newest that was let through."""
        symbol = self.symbols.get(name)
        return symbol.quote if symbol is not None else None

    def time_of(self, name: str) -> int:
        """Of the newest message of this symbol; 0 = none."""
        symbol = self.symbols.get(name)
        if symbol is None:
            return 0
        return max(symbol.newest, symbol.quoted if symbol.quote is not None else 0)

    def trades(self, trades: Iterable[Trade]) -> list[Trade]:
        """Those that are believed, each judged by name; of what streams in the processor lets most pass by itself."""
        symbols = self.symbols
        kept = [trade for trade in trades if self.lets_through(symbols[trade.symbol], trade)]
        self.learn(kept)
        return kept

    def lets_through(self, symbol: Symbol, trade: Trade) -> bool:
        if (reason := self._judge_trade(symbol, trade)) is None:
            return True
        self.rejections.add(reason, trade)
        return False

    def quotes(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        """A crossed quote (bid above ask) is a torn one; a locked one happens. The newest of each symbol is kept here."""
        if isinstance(quotes, Quotes) and self._takes_newest(quotes.newest):
            return quotes
        refused: list[Quote] = []
        symbols, limit, infinite, newest = self.symbols, self._latest, math.inf, self.newest
        for quote in quotes:
            symbol, at = symbols[quote.symbol], quote.timestamp
            if (
                symbol.quoted <= at <= limit
                and 0.0 <= quote.bid_price <= quote.ask_price < infinite
                and quote.bid_size >= 0.0 <= quote.ask_size
            ):
                symbol.quote, symbol.quoted = quote, at
                if at > newest:
                    newest = at
            else:
                if (reason := self._judge_quote(symbol, quote)) is not None:
                    self.rejections.add(reason, quote)
                    refused.append(quote)
                limit = self._latest
        self.move_time(newest)
        return self.kept(quotes, refused)

    def _takes_newest(self, newest: Sequence[tuple[int, Quote]]) -> bool:
        """What the loop over all quotes does, if it would let all of them pass; else nothing."""
        found = [(self.symbols[quote.symbol], first, quote) for first, quote in newest]
        if not found or any(first < symbol.quoted or quote.timestamp > self._latest for symbol, first, quote in found):
            return False
        for symbol, _, quote in found:
            symbol.quote, symbol.quoted = quote, quote.timestamp
        self.move_time(max(quote.timestamp for _, _, quote in found))
        return True

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

    def _judge_trade(self, symbol: Symbol, trade: Trade) -> Reason | None:
        """Why it is refused. Each check trusts what those before it have let through."""
        price, at = trade.price, trade.timestamp
        if not (0.0 < price < math.inf and 0.0 < trade.size < math.inf and 0 < at < END_OF_TIME):
            return Reason.ABSURD
        if at > self._latest and not self._may_leap(at):
            return Reason.FUTURE
        if at < symbol.newest - OLDEST and not symbol.may_return():
            return Reason.STALE
        if at > symbol.newest or at < symbol.newest - OLDEST:
            symbol.newest = at
            self.move_time(at)
        if not symbol.is_new(trade):
            return Reason.DUPLICATE
        if not symbol.band.low <= price <= symbol.band.high and not self._believed(symbol, trade):
            symbol.tape.refuse(trade)
            return Reason.OUTLIER
        symbol.put(trade)
        return None

    def _judge_quote(self, symbol: Symbol, quote: Quote) -> Reason | None:
        bid, ask, at = quote.bid_price, quote.ask_price, quote.timestamp
        if not (0.0 <= bid < math.inf and 0.0 <= ask < math.inf and at > 0 and quote.bid_size >= 0.0 <= quote.ask_size):
            return Reason.ABSURD
        if bid > ask > 0.0:
            return Reason.CROSSED
        if at > self._latest and not self._may_leap(at):
            return Reason.FUTURE
        if at < symbol.quoted and not symbol.may_return():
            return Reason.STALE
        symbol.quote, symbol.quoted = quote, at
        self.move_time(at)
        return None

    @staticmethod
    def kept(messages: Sequence[M], refused: Sequence[M]) -> Sequence[M]:
        """All but the refused; nearly always all, so that nothing is copied."""
        if not refused:
            return messages
        without = set(map(id, refused))
        return [message for message in messages if id(message) not in without]

    def move_time(self, newest: int) -> None:
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
    def _believed(symbol: Symbol, trade: Trade) -> bool:
        if symbol.quote is not None:
            symbol.band.quote(symbol.quote)
        return symbol.band.believes(trade)

    def learn(self, trades: Sequence[Trade]) -> None:
        """From those that were kept: the prices of a sample; and let go of old ids now and then."""
        at = self._until_sample
        while at < len(trades):
            trade = trades[at]
            symbol = self.symbols[trade.symbol]
            if symbol.quote is not None:
                symbol.band.quote(symbol.quote)
            symbol.band.learn(trade)
            at += SAMPLE
        self._until_sample = at - len(trades)
        self._until_forgetting -= len(trades)
        if self._until_forgetting <= 0:
            self._until_forgetting = FORGET_EVERY
            for symbol in self.symbols.values():
                symbol.tape.forget_old()
