"""The matching engine: our resting orders against a market of quotes, trades or bars.

Pure and deterministic: no I/O, no clock (time comes with each call), chance from a seed. The local exchange and the
event-driven backtest both run on it. Within one symbol and side, orders fill in price-time priority. The market is the
best bid and offer; for a symbol that has never had a quote, the last print stands for both sides.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

import msgspec

from engine.domain.errors import OrderError
from engine.domain.market import Bar, Quote, Trade, is_crypto
from engine.domain.orders import Side, TimeInForce
from engine.exchange.bars import bar_candidates
from engine.exchange.book import Book
from engine.exchange.fills import AlpacaFill, FillModel, cap
from engine.exchange.orders import NewOrder, Update, UpdateKind, Working, refusal
from engine.exchange.seen import Seen
from engine.exchange.triggers import follow, is_triggered, to_decimal, within_limit

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class MatchingEngine:
    """`execution_id` makes the ids of fills; by default UUIDs from `seed`. `is_open` is the state of the stock session;
    crypto trades always, and so do orders with extended_hours.
    """

    def __init__(
        self,
        model: FillModel | None = None,
        *,
        seed: int | str = 0,
        is_open: bool = True,
        execution_id: Callable[[], str] | None = None,
    ) -> None:
        self._model: FillModel = AlpacaFill() if model is None else model
        self._random = Random(seed)
        self._execution_id = execution_id or self._random_id
        self._is_open = is_open
        self._sequence = 0
        self._books: dict[str, Book] = {}
        self._working: dict[str, Working] = {}
        self._seen = Seen()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def __len__(self) -> int:
        return len(self._working)

    def __iter__(self) -> Iterator[Working]:
        return iter(self._working.values())

    def get(self, order_id: str) -> Working | None:
        """The order as it stands in the book, or None when it does not."""
        return self._working.get(order_id)

    def submit(self, order: NewOrder, now: int) -> list[Update]:
        """Take an order and fill what the market gives at once. Refusals are REJECTED updates, never exceptions."""
        if reason := ("order_id is already in use" if order.order_id in self._working else refusal(order)):
            return [Update(kind=UpdateKind.REJECTED, order=order, timestamp=now, reason=reason)]
        working = self._enter(order)
        if not working.active:
            updates = [Update(kind=UpdateKind.ACCEPTED, order=order, timestamp=now)]
            return updates + self._end_at_once(working, now)
        updates = [Update(kind=UpdateKind.NEW, order=order, timestamp=now)]
        updates += self._meet_market(working, now)
        return updates

    def restore(
        self, order: NewOrder, filled: Decimal, high_water_mark: Decimal | None = None, *, triggered: bool = False
    ) -> None:
        """Put an order of an earlier run back into the book, without an update."""
        working = self._enter(order)
        working.filled = filled
        if triggered and working.waits_for_trigger:
            self._books[order.symbol].trigger(working)
        if high_water_mark is not None:
            working.high_water_mark = None
            follow(working, high_water_mark)

    def cancel(self, order_id: str, now: int, reason: str = "") -> list[Update]:
        """Take an order out of the book. Raises OrderError when it does not stand there."""
        return [self._end(self._find(order_id), UpdateKind.CANCELED, now, reason)]

    def replace(self, order_id: str, order: NewOrder, now: int) -> list[Update]:
        """Put `order` in the place of another; it loses its time priority. Raises OrderError when none stands there."""
        old = self._find(order_id)
        if reason := refusal(order):
            raise OrderError(f"The order cannot be replaced: {reason}.", "Correct the values and replace it again.")
        self._leave(old)
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
        working = self._find(order_id)
        working.order = msgspec.structs.replace(working.order, **changed)

    def on_quote(self, quote: Quote) -> list[Update]:
        symbol = quote.symbol
        self._seen.quotes[symbol] = quote
        book = self._books.get(symbol)
        if book is None:
            return []
        updates: list[Update] = []
        if quote.ask_price > 0 and book.buys.could_trade(quote.ask_price):
            updates += self._sweep(book, Side.BUY, quote.ask_price, quote.ask_size, quote.timestamp)
        if quote.bid_price > 0 and book.sells.could_trade(quote.bid_price):
            updates += self._sweep(book, Side.SELL, quote.bid_price, quote.bid_size, quote.timestamp)
        return updates

    def on_trade(self, trade: Trade) -> list[Update]:
        """A print sets stops off; where no quote is known it is the market itself."""
        symbol = trade.symbol
        self._seen.prints[symbol] = trade.price
        book = self._books.get(symbol)
        if book is None:
            return []
        updates = self._trigger(book, to_decimal(trade.price), trade.timestamp) if book.stops else []
        if symbol not in self._seen.quotes:
            for side in Side:
                updates += self._sweep(book, side, trade.price, trade.size, trade.timestamp)
        return updates

    def on_bar(self, bar: Bar) -> list[Update]:
        """Orders that stand when the bar begins meet it: see `bars.bar_price`. Stamped with the bar's start."""
        self._seen.prints[bar.symbol] = bar.close
        book = self._books.get(bar.symbol)
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

    def open_session(self, now: int) -> list[Update]:
        """The stock market opens: orders that waited for it are NEW, and meet the next quote."""
        self._is_open = True
        updates: list[Update] = []
        for working in list(self._working.values()):
            if not working.active:
                working.active = True
                updates.append(Update(kind=UpdateKind.NEW, order=working.order, timestamp=now))
        return updates

    def close_session(self, now: int) -> list[Update]:
        """The stock market closes: DAY orders in it expire."""
        self._is_open = False
        return self.expire_day_orders(now)

    def expire_day_orders(self, now: int) -> list[Update]:
        ended = [w for w in self._working.values() if w.order.time_in_force is TimeInForce.DAY]
        return [self._end(w, UpdateKind.EXPIRED, now, "the session has ended") for w in ended]

    def _enter(self, order: NewOrder) -> Working:
        self._sequence += 1
        active = self._is_open or order.extended_hours or is_crypto(order.symbol)
        working = Working(order=order, sequence=self._sequence, active=active, stop=order.stop_price)
        if (last := self._seen.prints.get(order.symbol)) is not None:
            follow(working, to_decimal(last))
        self._working[order.order_id] = working
        self._books.setdefault(order.symbol, Book()).add(working)
        return working

    def _leave(self, working: Working) -> None:
        symbol = working.order.symbol
        del self._working[working.order.order_id]
        book = self._books[symbol]
        book.remove(working)
        if not len(book):
            del self._books[symbol]

    def _find(self, order_id: str) -> Working:
        working = self._working.get(order_id)
        if working is None:
            raise OrderError("The order is not in the book.", "It has ended, or it never existed: list the orders.")
        return working

    def _end(self, working: Working, kind: UpdateKind, now: int, reason: str = "") -> Update:
        self._leave(working)
        return Update(kind=kind, order=working.order, timestamp=now, filled_quantity=working.filled, reason=reason)

    def _end_at_once(self, working: Working, now: int) -> list[Update]:
        """IOC and FOK: what was not filled by now never will be."""
        if working.order.time_in_force not in _AT_ONCE or working.order.order_id not in self._working:
            return []
        if working.waits_for_trigger:
            return []
        return [self._end(working, UpdateKind.CANCELED, now, "not filled at once")]

    def _meet_market(self, working: Working, now: int) -> list[Update]:
        """A new order against the market as it stands. Older orders at the same price have had their turn."""
        updates: list[Update] = []
        if working.waits_for_trigger:
            last = self._seen.prints.get(working.order.symbol)
            if last is None or not is_triggered(working, to_decimal(last)):
                return []
            updates += self._set_off(self._books[working.order.symbol], working, now)
        side = working.order.side
        price, displayed = self._seen.meets(working.order.symbol, side)
        if price > 0 and within_limit(working, decimal_price := to_decimal(price)):
            updates += self._fill(working, decimal_price, self._model.available(displayed), now)
        return updates + self._end_at_once(working, now)

    def _sweep(self, book: Book, side: Side, price: float, displayed: float, now: int) -> list[Update]:
        at = to_decimal(price)
        available = self._model.available(displayed)
        updates: list[Update] = []
        for working in book.queue(side).marketable(at):
            if not working.active:
                continue
            made = self._fill(working, at, available, now)
            if available is not None:
                available -= sum((update.quantity for update in made), Decimal(0))
            updates += made + self._end_at_once(working, now)
        return updates

    def _trigger(self, book: Book, price: Decimal, now: int) -> list[Update]:
        updates: list[Update] = []
        for working in list(book.stops):
            if not working.active:
                continue
            follow(working, price)
            if is_triggered(working, price):
                updates += self._set_off(book, working, now)
                updates += self._meet_market(working, now)
        return updates

    def _set_off(self, book: Book, working: Working, now: int) -> list[Update]:
        book.trigger(working)
        other = self._working.get(working.order.cancels)
        return [] if other is None else [self._end(other, UpdateKind.CANCELED, now, "the stop has been set off")]

    def _fill_in_bar(self, book: Book, side: Side, bar: Bar, standing: list[Working]) -> list[Update]:
        available = self._model.bar_available(bar.volume)
        updates: list[Update] = []
        for working, price in bar_candidates(book, side, bar, standing):
            made = self._fill(working, price, available, bar.timestamp)
            if available is not None:
                available -= sum((update.quantity for update in made), Decimal(0))
            updates += made
        for working in list(book.queue(side)):
            updates += self._end_at_once(working, bar.timestamp)
        return updates

    def _fill(self, working: Working, price: Decimal, available: Decimal | None, now: int) -> list[Update]:
        order = working.order
        possible = cap(working.remaining, available)
        if possible <= 0:
            return []
        if order.time_in_force is TimeInForce.FOK:
            if possible < working.remaining:
                return []
            quantity = possible
        else:
            quantity = self._model.quantity(possible, self._random)
        paid = self._model.price(order.side, price, working.limit)
        working.filled += quantity
        done = working.remaining == 0
        if done:
            self._leave(working)
        return [
            Update(
                kind=UpdateKind.FILL if done else UpdateKind.PARTIAL_FILL,
                order=order,
                timestamp=now,
                filled_quantity=working.filled,
                quantity=quantity,
                price=paid,
                fee=self._model.fee(quantity, paid),
                execution_id=self._execution_id(),
            )
        ]

    def _random_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
