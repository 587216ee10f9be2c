"""What the normaliser knows of one symbol, where each of its messages looks."""

from __future__ import annotations

from engine.domain.market import Quote, Trade
from engine.market.normaliser.conditions import Kinds, kinds_of
from engine.market.normaliser.outliers import PriceBand
from engine.market.open_second import OpenSecond
from engine.market.tape import Tape

RETURNS = 5
"""Old messages of a symbol in a row: then the venue's time went back, as that of a replay begun anew does."""


class Symbol:
    __slots__ = (
        "_burst", "band", "behind", "burst_at", "kinds", "latest", "newest", "open", "quote", "quoted", "tape",
    )  # fmt: skip

    def __init__(self) -> None:
        self.newest = 0
        """The time of the newest print; goes back when the venue's time does."""
        self.latest = 0
        """The time of the latest print on its tape: one that is later is none that was there before."""
        self.quote: Quote | None = None
        self.quoted = 1
        """The time of the quote; what is not after 0 is no time."""
        self.tape = Tape()
        self.kinds: Kinds = kinds_of("")
        """Of the network that reports it."""
        self.open = OpenSecond()
        """That of its candles; of a symbol that nobody watches, one that never opens."""
        self.band = PriceBand()
        self.behind = 0
        self.burst_at = 0
        """The time of the prints by which `is_another` knows one; the tape has been asked for those before."""
        self._burst: set[tuple[int, str]] = set()

    def may_return(self) -> bool:
        self.behind = (self.behind + 1) % RETURNS
        return self.behind == 0

    def is_new(self, trade: Trade) -> bool:
        if trade.timestamp < self.latest:
            return not self.tape.knows(trade)
        if trade.timestamp > self.latest:
            return not self.tape.is_beside(trade.timestamp, trade.exchange, trade.trade_id)
        return self.is_another(trade.timestamp, trade.exchange, trade.trade_id)

    def is_another(self, time: int, exchange: str, number: int) -> bool:
        """Of a print with the time of the latest: whether it is none of those; from now on it is. An order that takes
        several others is several prints of one time.
        """
        if self.burst_at != time:
            self.burst_at, self._burst = time, self.tape.at(time)
        one = number, exchange
        if one in self._burst or self.tape.is_beside(time, exchange, number):
            return not number
        self._burst.add(one)
        return True

    def put(self, trade: Trade) -> None:
        """A print that is believed, on its tape."""
        self.kinds = kinds_of(trade.tape)
        if trade.timestamp >= self.latest:
            self.latest = trade.timestamp
            self.tape.put(trade)
        else:
            self.tape.put_late(trade)


class Symbols(dict[str, Symbol]):
    def __missing__(self, name: str) -> Symbol:
        symbol = self[name] = Symbol()
        return symbol
