"""From a batch of market data to candles and the board: one batch in, one batch out, no await and no loop per stage twice.

Quotes are conflated: only the newest of a symbol leaves. Every message is accounted for: what is taken is kept, rejected
by a named reason, conflated, or of a symbol that nobody watches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from engine.domain.market import NANOSECONDS, Bar, Trade
from engine.market.batch import Batch, Correction
from engine.market.board import Board
from engine.market.candles import Candles
from engine.market.columns import Trades
from engine.market.hours import Hours
from engine.market.normaliser.conditions import ALL
from engine.market.normaliser.normaliser import Normaliser
from engine.market.normaliser.rejections import Reason
from engine.market.runs import take_runs

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
        if symbol not in self.candles:
            known = self.normaliser.symbols[symbol]
            self.candles[symbol] = candles = Candles(symbol, hours, known.tape)
            known.open = candles.seconds.open

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
        """What `check` and `build` do, with one loop over the trades."""
        self._count(batch)
        if batch.quotes:
            self.normaliser.quotes(batch.quotes)
        changed: dict[Candles, None] = {}
        if isinstance(batch.trades, Trades):
            self._take_columns(batch.trades, changed)
        elif batch.trades:
            self.normaliser.learn(self._take_trades(batch.trades, changed))
        self._finish(batch, changed)

    def check(self, batch: Batch) -> Batch:
        """The batch with what can be believed; quotes are on the board after this, prints are not yet in candles."""
        self._count(batch)
        batch.quotes = self.normaliser.quotes(batch.quotes)
        batch.trades = self.normaliser.trades(batch.trades)
        return batch

    def build(self, batch: Batch) -> None:
        changed: dict[Candles, None] = {}
        for trade in batch.trades:
            self._put(trade, changed)
        self._finish(batch, changed)

    def _count(self, batch: Batch) -> None:
        self.messages += batch.count
        if batch.rejected:
            self.normaliser.rejections.count(Reason.UNREADABLE, batch.rejected)

    def _take_columns(self, trades: Trades, changed: dict[Candles, None]) -> None:
        """First what is ordinary of each symbol, then the others as they came."""
        places, newest = take_runs(trades, self.normaliser.symbols)
        self.normaliser.move_time(newest)
        kept: Sequence[Trade] = trades
        if places:
            left = trades.in_order_of_arrival(places)
            others = [trades[n] for n in left]
            refused = set(map(id, others)) - set(map(id, self._take_trades(others, changed)))
            if refused:
                without = {n for n, trade in zip(left, others, strict=True) if id(trade) in refused}
                kept = [trade for n, trade in enumerate(trades) if n not in without]
        self.normaliser.learn(kept)

    def _take_trades(self, trades: Sequence[Trade], changed: dict[Candles, None]) -> Sequence[Trade]:
        """Those that are believed; `changed` gets the candles that have something to close or to tell.

        Nearly all prints are not earlier than any of their symbol, within the second that is open, and of a usual price.
        For them there is no call: what `Tape.put` and `Fold.add` do is written out.
        """
        normaliser, infinite = self.normaliser, math.inf
        symbols, newest = normaliser.symbols, normaliser.newest
        refused: list[Trade] = []
        for trade in trades:
            symbol, at, price, size = symbols[trade.symbol], trade.timestamp, trade.price, trade.size
            second, band = symbol.open, symbol.band
            if (
                symbol.latest <= at < second.end
                and band.low <= price <= band.high
                and 0.0 < size < infinite
                and (symbol.latest != at or symbol.is_another(at, trade.exchange, trade.trade_id))
            ):
                symbol.newest = symbol.latest = at
                if at > newest:
                    newest = at
                number, kind = trade.trade_id, symbol.kinds[trade.conditions]
                tape, fold = symbol.tape, second.fold
                tape.times.append(at)
                tape.prices.append(price)
                tape.sizes.append(size)
                tape.numbers.append(number)
                tape.exchanges.append(trade.exchange)
                tape.kinds.append(kind)
                if kind.effect == ALL and (
                    -1 < fold.close_at < at or (fold.close_at == at and number >= fold.close_id)
                ):
                    fold.volume += size
                    fold.turnover += price * size
                    fold.count += 1
                    fold.close, fold.close_at, fold.close_id = price, at, number
                    if price > fold.high:
                        fold.high = price
                    if price < fold.low:
                        fold.low = price
                else:
                    fold.add(price, size, at, number, kind)
            elif normaliser.lets_through(symbol, trade):
                self._put(trade, changed)
            else:
                refused.append(trade)
        normaliser.move_time(newest)
        return normaliser.kept(trades, refused)

    def _put(self, trade: Trade, changed: dict[Candles, None]) -> None:
        candles = self.candles.get(trade.symbol)
        if candles is None:
            self.unwatched += 1
        elif candles.add_print(trade):
            changed[candles] = None

    def _finish(self, batch: Batch, changed: dict[Candles, None]) -> None:
        bars = [bar for candles in changed for bar in candles.changes()]
        if batch.bars:
            bars += self._venues(batch.bars)
        if batch.corrections:
            bars += self._correct(batch.corrections)
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

    def _correct(self, corrections: Iterable[Correction]) -> list[Bar]:
        bars: list[Bar] = []
        for correction in self.normaliser.corrections(corrections, self.candles):
            found = self.candles[correction.symbol].correct(correction)
            if found is None:
                self.normaliser.rejections.add(Reason.UNKNOWN_PRINT, correction)
            bars += found or []
        return bars

    def _close(self, changed: Iterable[Candles]) -> list[Bar]:
        """All when a second has passed on the tape, else those with a new second: one may trail behind the others."""
        time = self.normaliser.newest - REORDER
        second = time // NANOSECONDS
        if second > self._closed_to:
            self._closed_to = second
            changed = self.candles.values()
        return [bar for candles in changed for bar in candles.close_before(time)]
