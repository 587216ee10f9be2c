"""The matching engine: our resting orders against a market of quotes, trades or bars.

Pure and deterministic: no I/O, no clock (time comes with each call), chance from a seed. The local exchange and the
event-driven backtest both run on it. Within one symbol and side, orders fill in price-time priority. The market is the
best bid and offer; for a symbol that has never had a quote, the last print stands for both sides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

import msgspec

from engine.domain.errors import OrderError
from engine.domain.market import Bar, Quote, Trade
from engine.domain.orders import Side, TimeInForce
from engine.exchange.bars import bar_candidates
from engine.exchange.book import Book
from engine.exchange.filling import Filling, less, total
from engine.exchange.fills import AlpacaFill, FillModel
from engine.exchange.liquidity import Liquidity
from engine.exchange.orders import ZERO, NewOrder, Update, UpdateKind, Working, refusal
from engine.exchange.phases import Phase, may_trade, was_last_chance
from engine.exchange.queueing import reach, stand
from engine.exchange.standing import Standing
from engine.exchange.triggers import follow, is_triggered, to_decimal, within_limit


class MatchingEngine:
    """`execution_id` makes the ids of fills; by default UUIDs from `seed`. `phase` is that of the stock market; crypto
    trades always.
    """

    def __init__(
        self,
        model: FillModel | None = None,
        *,
        seed: int | str = 0,
        phase: Phase = Phase.REGULAR,
        execution_id: Callable[[], str] | None = None,
    ) -> None:
        self._model: FillModel = AlpacaFill() if model is None else model
        self._standing = Standing()
        self._market = Liquidity(self._model)
        self.forget = self._market.forget
        self._fills = Filling(self._model, self._standing, self._market, Random(seed), execution_id)
        self._under_way: deque[Working] = deque()
        self._halted: set[str] = set()
        self.phase = phase

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[Working]:
        return iter(self._standing)

    def get(self, order_id: str) -> Working | None:
        """The order as it stands in the book, or None when it does not."""
        return self._standing.get(order_id)

    def submit(self, order: NewOrder, now: int) -> list[Update]:
        """Take an order and fill what the market gives at once. Refusals are REJECTED updates, never exceptions."""
        if reason := ("order_id is already in use" if self.get(order.order_id) else refusal(order)):
            return [Update(kind=UpdateKind.REJECTED, order=order, timestamp=now, reason=reason)]
        working = self._enter(order)
        if not working.active:
            updates = [Update(kind=UpdateKind.ACCEPTED, order=order, timestamp=now)]
            return updates + self._fills.end_at_once(working, now)
        updates = [Update(kind=UpdateKind.NEW, order=order, timestamp=now)]
        if self._model.latency:
            working.arrives_at = now + self._model.latency
            self._under_way.append(working)
            return updates
        return updates + self._meet_market(working, now)

    def restore(
        self, order: NewOrder, filled: Decimal, high_water_mark: Decimal | None = None, *, triggered: bool = False
    ) -> None:
        """Put an order of an earlier run back into the book, without an update."""
        working = self._enter(order)
        working.filled = filled
        if triggered and working.waits_for_trigger:
            self._standing.trigger(working)
        if high_water_mark is not None:
            working.high_water_mark = None
            follow(working, high_water_mark)

    def cancel(self, order_id: str, now: int, reason: str = "") -> list[Update]:
        """Take an order out of the book. Raises OrderError when it does not stand there."""
        return [self._fills.end(self._standing.find(order_id), UpdateKind.CANCELED, now, reason)]

    def replace(self, order_id: str, order: NewOrder, now: int) -> list[Update]:
        """Put `order` in the place of another; it loses its time priority. Raises OrderError when none stands there."""
        old = self._standing.find(order_id)
        if reason := refusal(order):
            raise OrderError(f"The order cannot be replaced: {reason}.", "Correct the values and replace it again.")
        self._standing.leave(old)
        replaced = Update(
            kind=UpdateKind.REPLACED,
            order=old.order,
            timestamp=now,
            filled_quantity=old.filled,
            replaced_by=order.order_id,
        )
        return [replaced, *self.submit(order, now)]

    def amend(self, order_id: str, **changed: Decimal | str) -> None:
        """Change the `quantity` of an order in place, its filled part included, or what it `cancels`; it keeps its time
        priority.
        """
        working = self._standing.find(order_id)
        working.order = msgspec.structs.replace(working.order, **changed)

    def advance(self, now: int) -> list[Update]:
        """Orders that have been under way until `now` reach the book, and meet the market as it stands."""
        updates: list[Update] = []
        while self._under_way and (self._under_way[0].arrives_at or 0) <= now:
            working = self._under_way.popleft()
            at, working.arrives_at = working.arrives_at or now, None
            if self._standing.holds(working) and working.active:
                updates += self._meet_market(working, at)
        return updates

    def on_quote(self, quote: Quote) -> list[Update]:
        symbol = quote.symbol
        updates = self.advance(quote.timestamp) if self._under_way else []
        self._market.quotes[symbol] = quote
        book = self._standing.book(symbol)
        if book is None or symbol in self._halted:
            return updates
        if self._model.queues:
            for working in book:
                stand(working, quote)
        if quote.ask_price > 0 and book.buys.could_trade(quote.ask_price):
            updates += self._sweep(book, Side.BUY, quote.ask_price, quote.ask_size, quote.timestamp)
        if quote.bid_price > 0 and book.sells.could_trade(quote.bid_price):
            updates += self._sweep(book, Side.SELL, quote.bid_price, quote.bid_size, quote.timestamp)
        return updates

    def on_trade(self, trade: Trade) -> list[Update]:
        """A print sets stops off; where no quote is known it is the market itself. Where the model has queues, it
        fills resting orders whose turn it has come to.
        """
        symbol = trade.symbol
        updates = self.advance(trade.timestamp) if self._under_way else []
        self._market.on_trade(trade)
        book = self._standing.book(symbol)
        if book is None or symbol in self._halted:
            return updates
        if book.stops:
            updates += self._trigger(book, to_decimal(trade.price), trade.timestamp)
        if symbol not in self._market.quotes:
            self._market.refresh(symbol)
            for side in Side:
                updates += self._sweep(book, side, trade.price, trade.size, trade.timestamp)
        elif self._model.queues:
            for side in Side:
                updates += self._serve_queue(book, side, trade)
        return updates

    def on_bar(self, bar: Bar) -> list[Update]:
        """Orders that stand when the bar begins meet it: see `bars.bar_price`. Stamped with the bar's start."""
        self._market.prints[bar.symbol] = bar.close
        book = self._standing.book(bar.symbol)
        if book is None:
            return []
        updates: list[Update] = []
        standing = sorted(book.stops, key=lambda working: working.sequence)
        for side in Side:
            updates += self._fill_in_bar(book, side, bar, standing)
        for working in standing:
            if working.waits_for_trigger:
                follow(working, to_decimal(bar.high if working.order.side is Side.SELL else bar.low))
        return updates

    def turn(self, phase: Phase, now: int) -> list[Update]:
        """The stock market enters another phase: orders that may trade in it become NEW and meet the next quote; DAY
        orders whose last chance has passed expire.
        """
        ended, self.phase = self.phase, phase
        updates: list[Update] = []
        for working in self._standing:
            working.active = may_trade(working.order, phase)
            if working.active and not working.announced:
                working.announced = True
                updates.append(Update(kind=UpdateKind.NEW, order=working.order, timestamp=now))
            elif not working.active and was_last_chance(working.order, ended, phase):
                updates.append(self._fills.end(working, UpdateKind.EXPIRED, now, "the session has ended"))
        return updates

    def auction(self, symbol: str, kind: TimeInForce, price: float, size: float, now: int) -> list[Update]:
        """The opening (OPG) or closing (CLS) auction trades `size` units at `price`: its orders fill at that price or
        are canceled. A price of 0 is an auction that found none.
        """
        waiting = [working for working in self._standing.book(symbol) or () if working.order.time_in_force is kind]
        available = self._model.available(size)
        updates: list[Update] = []
        for working in sorted(waiting, key=lambda working: working.sequence):
            if price > 0 and within_limit(working, at := to_decimal(price)):
                made = self._fills.fill(working, at, available, now, whole=True)
                available = less(available, made)
                updates += made
            if self._standing.holds(working):
                updates.append(self._fills.end(working, UpdateKind.CANCELED, now, "not filled in the auction"))
        return updates

    def waiting_for(self, kind: TimeInForce) -> list[str]:
        """The symbols that have orders for that auction, each once, in order of arrival."""
        return list(dict.fromkeys(w.order.symbol for w in self._standing if w.order.time_in_force is kind))

    def halt(self, symbol: str) -> None:
        """Nothing trades in `symbol` until it is resumed; orders are taken and cancelled as ever."""
        self._halted.add(symbol)

    def resume(self, symbol: str) -> None:
        """The next quote meets what has gathered."""
        self._halted.discard(symbol)

    def _enter(self, order: NewOrder) -> Working:
        working = self._standing.enter(order, active=may_trade(order, self.phase))
        if (last := self._market.prints.get(order.symbol)) is not None:
            follow(working, to_decimal(last))
        return working

    def _meet_market(self, working: Working, now: int) -> list[Update]:
        """A new order against the market as it stands. Older orders at the same price have had their turn."""
        symbol, side = working.order.symbol, working.order.side
        if symbol in self._halted:
            return self._fills.end_at_once(working, now)
        updates: list[Update] = []
        if working.waits_for_trigger:
            last = self._market.prints.get(symbol)
            if last is None or not is_triggered(working, to_decimal(last)):
                return []
            updates += self._set_off(working, now)
        price, displayed = self._market.meets(symbol, side)
        if price > 0 and within_limit(working, at := to_decimal(price)):
            made = self._fills.fill(working, at, self._market.left(symbol, side, price, displayed), now)
            self._market.take(symbol, side, price, total(made))
            updates += made
        elif self._model.queues and (quote := self._market.quotes.get(symbol)) is not None:
            stand(working, quote)
        return updates + self._fills.end_at_once(working, now)

    def _sweep(self, book: Book, side: Side, price: float, displayed: float, now: int) -> list[Update]:
        """The market of the other side stands at `price`. An order that rests is met at its own limit."""
        at = to_decimal(price)
        updates: list[Update] = []
        for working in book.queue(side).marketable(at):
            if not working.is_live:
                continue
            symbol = working.order.symbol
            available = self._market.left(symbol, side, price, displayed)
            made = self._fills.fill(working, working.limit or at if working.rests else at, available, now)
            self._market.take(symbol, side, price, total(made))
            updates += made + self._fills.end_at_once(working, now)
        return updates

    def _serve_queue(self, book: Book, side: Side, trade: Trade) -> list[Update]:
        """A print at or through the limits of resting orders: what is left of it when their turn comes."""
        used = ZERO
        updates: list[Update] = []
        for working in list(book.queue(side)):
            if not working.is_live or not working.rests or (limit := working.limit) is None:
                continue
            reached = self._model.available(reach(working, trade.price, trade.size))
            made = self._fills.fill(working, limit, None if reached is None else reached - used, trade.timestamp)
            used += total(made)
            updates += made
        return updates

    def _trigger(self, book: Book, price: Decimal, now: int) -> list[Update]:
        updates: list[Update] = []
        for working in list(book.stops):
            if not working.is_live:
                continue
            follow(working, price)
            if is_triggered(working, price):
                updates += self._set_off(working, now)
                updates += self._meet_market(working, now)
        return updates

    def _set_off(self, working: Working, now: int) -> list[Update]:
        self._standing.trigger(working)
        other = self.get(working.order.cancels)
        return [] if other is None else [self._fills.end(other, UpdateKind.CANCELED, now, "the stop has been set off")]

    def _fill_in_bar(self, book: Book, side: Side, bar: Bar, standing: list[Working]) -> list[Update]:
        available = self._model.bar_available(bar.volume)
        updates: list[Update] = []
        for working, price in bar_candidates(book, side, bar, standing):
            made = self._fills.fill(working, price, available, bar.timestamp)
            available = less(available, made)
            updates += made
        for working in list(book.queue(side)):
            updates += self._fills.end_at_once(working, bar.timestamp)
        return updates
