"""A burst of frames to a batch in columns, by the compiled kernel. Import it only where that is wanted: it loads numba."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from engine.domain.market import NANOSECONDS, Quote
from engine.market import frames
from engine.market.columns import Quotes, Trades
from engine.market.packed import arranging, kernel
from engine.market.packed.kernel import FIRST_WORD, NUMBER, QUOTE_SYMBOL, TIME
from engine.market.packed.words import MOST, Words

CAPACITY = 2_048
"""Messages, at first."""
LEAST_OF_EACH = 2
"""To take the trades of a symbol together pays only if there are several, and few seconds end among them."""
LONGEST = NANOSECONDS
MOST_NEW_WORDS = 64
"""In one burst: it is read again for each, and garbage could have one in every message."""


class Reader:
    """Of one source. Not taken are bursts that have less than `least_of_each` trades of a symbol on average, and those that
    are longer than `longest` nanoseconds of the tape.
    """

    def __init__(self, least_of_each: int = LEAST_OF_EACH, longest: int = LONGEST) -> None:
        self._least_of_each, self._longest = least_of_each, longest
        self._words = Words()
        self._latest = np.full(MOST, -1)
        self._found = np.zeros(kernel.WORD_KIND + 1, np.int64)
        self._make_room(CAPACITY)

    def read(self, burst: Sequence[bytes]) -> frames.Frame | None:
        """The same as `frames.decode`; None when something in it is unusual, or its trades lie too far apart."""
        data = b"".join(burst)
        packed = np.frombuffer(data, np.uint8)
        ends = np.fromiter(accumulate(map(len, burst)), np.int64, len(burst))
        for _ in range(MOST_NEW_WORDS):
            said = kernel.read(
                packed, ends, self._words.slots, self._trades, self._trade_values,
                self._quotes, self._quote_values, self._others, self._found,
            )  # fmt: skip
            if said == kernel.DONE:
                return self._frame(data)
            if said == kernel.UNUSUAL:
                return None
            if said == kernel.FULL:
                self._make_room(2 * len(self._others))
            elif not self._learn(data):
                return None
        return None

    def _make_room(self, capacity: int) -> None:
        self._trades, self._trade_values = np.empty((6, capacity), np.int64), np.empty((2, capacity))
        self._quotes, self._quote_values = np.empty((2, capacity), np.int64), np.empty((4, capacity))
        self._ends = np.empty(capacity, np.int64)
        self._others, self._newest = np.empty((capacity, 2), np.int64), np.empty((capacity, 2), np.int64)

    def _learn(self, data: bytes) -> bool:
        start, end, kind = self._found[kernel.WORD_AT :].tolist()
        try:
            self._words.learn(data[start:end], kind)
        except frames.UNREADABLE:
            return False
        return True

    def _frame(self, data: bytes) -> frames.Frame | None:
        n_trades, n_quotes, n_others = self._found[: kernel.WORD_AT].tolist()
        frame = frames.Frame()
        if n_others and not self._take_others(data, n_others, frame):
            return None
        if n_trades:
            trades = self._columns_of_trades(n_trades)
            if trades is None:
                return None
            frame.trades = trades
        if n_quotes:
            frame.quotes = self._columns_of_quotes(n_quotes)
        return frame

    def _take_others(self, data: bytes, count: int, frame: frames.Frame) -> bool:
        try:
            others = [frames.MSGPACK.one(data[start:end]) for start, end in self._others[:count].tolist()]
        except frames.UNREADABLE:
            return False
        frames.sort_others(others, frame)
        return True

    def _columns_of_trades(self, count: int) -> Trades | None:
        if np.ptp(self._trades[TIME, :count]) > self._longest:
            return None
        columns, values = np.empty((6, count), np.int64), np.empty((2, count))
        places = np.empty(count, np.int64)
        n = arranging.group_by_symbol(
            self._trades, self._trade_values, count, self._latest, self._ends, places, columns, values
        )
        if count < self._least_of_each * n:
            return None
        times, numbers = columns[: NUMBER + 1].tolist()
        prices, sizes = values.tolist()
        symbols, exchanges, tapes, conditions = self._words.objects[columns[FIRST_WORD:]].tolist()
        return Trades(
            self._ends[:n].tolist(), places, symbols, times, prices, sizes, numbers, exchanges, tapes, conditions
        )

    def _columns_of_quotes(self, count: int) -> Quotes:
        columns, values = self._quotes[:, :count], self._quote_values[:, :count].copy()
        symbols = self._words.objects[columns[QUOTE_SYMBOL]]
        n = arranging.newest_of_each(columns, values, count, self._latest, self._newest)
        newest: list[tuple[int, Quote]] = []
        if n > 0:
            firsts, lasts = self._newest[:n].T
            newest = [
                (first, Quote(symbol, bid, bid_size, ask, ask_size, time))
                for first, symbol, (bid, bid_size, ask, ask_size), time in zip(
                    firsts.tolist(),
                    symbols[lasts].tolist(),
                    values[:, lasts].T.tolist(),
                    columns[TIME][lasts].tolist(),
                    strict=True,
                )
            ]
        return Quotes(symbols, columns[TIME].copy(), values, newest)
