"""The resting orders of one symbol: two queues in price-time order, and the stops that wait for their trigger."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from engine.domain.orders import Side
from engine.exchange.orders import Working

Key = tuple[Decimal, int]

_FIRST = Decimal("-Infinity")


class Queue:
    """One side of the book, best price first and oldest first within a price. Market orders come before all."""

    def __init__(self, side: Side) -> None:
        self._sign = side.sign
        self._keys: list[Key] = []
        self._orders: list[Working] = []

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Working]:
        return iter(self._orders)

    def add(self, working: Working) -> None:
        key = self._key(working)
        # The usual order is no better than the worst that stands here, and bisecting compares Decimals many times.
        index = len(self._keys) if not self._keys or key > self._keys[-1] else bisect_left(self._keys, key)
        self._keys.insert(index, key)
        self._orders.insert(index, working)

    def remove(self, working: Working) -> None:
        index = bisect_left(self._keys, self._key(working))
        if index < len(self._orders) and self._orders[index] is working:
            del self._keys[index]
            del self._orders[index]

    def could_trade(self, price: float) -> bool:
        """Whether the best order would trade at `price`: a cheap test for every quote that passes by."""
        if not self._orders:
            return False
        limit = self._orders[0].limit
        return limit is None or (float(limit) - price) * self._sign >= 0

    def marketable(self, price: Decimal) -> list[Working]:
        """The orders that trade at `price`, in priority."""
        found: list[Working] = []
        for working in self._orders:
            limit = working.limit
            if limit is not None and (limit - price) * self._sign < 0:
                break
            found.append(working)
        return found

    def _key(self, working: Working) -> Key:
        limit = working.limit
        return (_FIRST if limit is None else -self._sign * limit, working.sequence)


class Book:
    """Everything of ours that rests in one symbol. `stops` is kept in the order of arrival."""

    def __init__(self) -> None:
        self.buys = Queue(Side.BUY)
        self.sells = Queue(Side.SELL)
        self.stops: list[Working] = []

    def queue(self, side: Side) -> Queue:
        return self.buys if side is Side.BUY else self.sells

    def add(self, working: Working) -> None:
        if working.waits_for_trigger:
            insort(self.stops, working, key=lambda other: other.sequence)
        else:
            self.queue(working.order.side).add(working)

    def remove(self, working: Working) -> None:
        if working.waits_for_trigger:
            self.stops.remove(working)
        else:
            self.queue(working.order.side).remove(working)

    def trigger(self, working: Working) -> None:
        """Move a stop to its queue, where it stands as a market or limit order."""
        self.stops.remove(working)
        working.triggered = True
        self.queue(working.order.side).add(working)

    def __iter__(self) -> Iterator[Working]:
        yield from self.buys
        yield from self.sells
        yield from self.stops

    def __len__(self) -> int:
        return len(self.buys) + len(self.sells) + len(self.stops)
