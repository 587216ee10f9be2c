"""Every order of ours that stands in a book, found by id and by symbol."""

from __future__ import annotations

from collections.abc import Iterator

from engine.domain.errors import OrderError
from engine.exchange.book import Book
from engine.exchange.orders import NewOrder, Working


class Standing:
    def __init__(self) -> None:
        self._sequence = 0
        self._books: dict[str, Book] = {}
        self._working: dict[str, Working] = {}

    def __len__(self) -> int:
        return len(self._working)

    def __iter__(self) -> Iterator[Working]:
        return iter(list(self._working.values()))

    def get(self, order_id: str) -> Working | None:
        return self._working.get(order_id)

    def find(self, order_id: str) -> Working:
        """Raises OrderError when the order does not stand here."""
        working = self._working.get(order_id)
        if working is None:
            raise OrderError("The order is not in the book.", "It has ended, or it never existed: list the orders.")
        return working

    def holds(self, working: Working) -> bool:
        return self._working.get(working.order.order_id) is working

    def book(self, symbol: str) -> Book | None:
        """The orders in `symbol`; None when there is none."""
        return self._books.get(symbol)

    def enter(self, order: NewOrder, *, active: bool) -> Working:
        self._sequence += 1
        working = Working(order=order, sequence=self._sequence, active=active, announced=active, stop=order.stop_price)
        self._working[order.order_id] = working
        self._books.setdefault(order.symbol, Book()).add(working)
        return working

    def leave(self, working: Working) -> None:
        symbol = working.order.symbol
        del self._working[working.order.order_id]
        book = self._books[symbol]
        book.remove(working)
        if not len(book):
            del self._books[symbol]

    def trigger(self, working: Working) -> None:
        self._books[working.order.symbol].trigger(working)
