"""From a batch of market data to candles and the board: one batch in, one batch out, no await and no loop per stage twice.

Quotes are conflated: only the newest of a symbol leaves. Every message is accounted for: what is taken is kept, rejected
by a named reason, conflated, or of a symbol that nobody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.domain.market import NANOSECONDS, Bar
from engine.market.batch import Batch
from engine.market.board import Board
from engine.market.candles import Candles
from engine.market.hours import Hours
from engine.market.normaliser.normaliser import Normaliser
from engine.market.normaliser.rejections import Reason

REORDER = NANOSECONDS // 20
"""How long, by the tape's time, a candle waits for prints that are out of order before it closes."""


class Processor:
    def __init__(self, give_out: Callable[[list[Bar]], None]) -> None:
        self.candles: dict[str, Candles] = {}
        self.normaliser = Normaliser()
        self.board = Board(self.candles, self.normaliser)
        self.messages = 0
        self.unwatched = 0
        self._give_out = give_out
        self._closed_to = 0
        """The second of the tape up to which candles have been closed."""

    def watch(self, symbol: str, hours: Hours) -> None:
        self.candles.setdefault(symbol, Candles(symbol, hours))

    def unwatch(self, symbol: str) -> bool:
        self.board.forget(symbol)
        self.normaliser.forget(symbol)
        return self.candles.pop(symbol, None) is not None

    def forget_quotes(self, symbols: Iterable[str]) -> None:
        """From now on there are only prints: an old bid beside a new price would be taken for the market."""
        for symbol in symbols:
            self.normaliser.forget_quote(symbol)
            self.board.touch(symbol)

    def take(self, batch: Batch) -> None:
        self.build(self.check(batch))

    def check(self, batch: Batch) -> Batch:
        """The batch with what can be believed; quotes are on the board after this, prints are not yet in candles."""
        normaliser = self.normaliser
        self.messages += batch.count
        if batch.rejected:
            normaliser.rejections.count(Reason.UNREADABLE, batch.rejected)
        if batch.quotes:
            batch.quotes = normaliser.quotes(batch.quotes)
        if batch.trades:
            batch.trades = normaliser.trades(batch.trades)
        if batch.corrections:
            batch.corrections = normaliser.corrections(batch.corrections, self.candles)
        return batch

    def build(self, batch: Batch) -> None:
        candles = self.candles
        changed: dict[Candles, None] = {}
        for trade in batch.trades:
            try:
                some = candles[trade.symbol]
            except KeyError:
                self.unwatched += 1
                continue
            seconds = some.seconds
            if seconds.open_start <= trade.timestamp < seconds.open_end:  # what add_print does first, without two calls
                seconds.open_prints.append(trade)
            elif some.add_print(trade):
                changed[some] = None
        bars = [bar for some in changed for bar in some.changes()]
        if batch.bars:
            bars += self._venues(batch.bars)
        for correction in batch.corrections:
            found = candles[correction.symbol].correct(correction)
            if found is None:
                self.normaliser.rejections.add(Reason.UNKNOWN_PRINT, correction)
            bars += found or []
        bars += self._close(changed)
        if bars:
            self._give_out(bars)

    def close_before(self, time: int) -> None:
        bars = [bar for candles in self.candles.values() for bar in candles.close_before(time)]
        if bars:
            self._give_out(bars)

    def _venues(self, minutes: Iterable[Bar]) -> list[Bar]:
        bars: list[Bar] = []
        for minute in minutes:
            if (candles := self.candles.get(minute.symbol)) is not None:
                bars += candles.replace_minute(minute)
        return bars

    def _close(self, changed: Iterable[Candles]) -> list[Bar]:
        """All when a second has passed on the tape, else those with a new second: one may trail behind the others."""
        time = self.normaliser.newest - REORDER
        second = time // NANOSECONDS
        if second > self._closed_to:
            self._closed_to = second
            changed = self.candles.values()
        return [bar for candles in changed for bar in candles.close_before(time)]
