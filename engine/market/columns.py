"""Trades and quotes of one batch in columns, for the loops over them; as a sequence, each is made when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from engine.domain.market import Quote, Trade

M = TypeVar("M")
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Columns(Sequence[M], Generic[M]):
    @abstractmethod
    def make(self, at: int) -> M: ...

    @overload
    def __getitem__(self, at: int) -> M: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[M]: ...
    def __getitem__(self, at: int | slice) -> M | Sequence[M]:
        return [self.make(n) for n in range(*at.indices(len(self)))] if isinstance(at, slice) else self.make(at)


class Trades(_Columns[Trade]):
    """In the columns those of one symbol lie side by side: `ends` is where each symbol's end. As a sequence they are in the
    order in which they came, `places` being where each of these lies.
    """

    def __init__(
        self,
        ends: Sequence[int],
        places: Ints,
        symbols: Sequence[str],
        times: Sequence[int],
        prices: Sequence[float],
        sizes: Sequence[float],
        numbers: Sequence[int],
        exchanges: Sequence[str],
        tapes: Sequence[str],
        conditions: Sequence[tuple[str, ...]],
    ) -> None:
        self.ends = ends
        self.symbols, self.times, self.prices, self.sizes, self.numbers = symbols, times, prices, sizes, numbers
        self.exchanges, self.conditions = exchanges, conditions
        self._places, self._tapes = places, tapes

    def __len__(self) -> int:
        return len(self.times)

    def make(self, at: int) -> Trade:
        place = int(self._places[at])
        return Trade(
            self.symbols[place], self.prices[place], self.sizes[place], self.times[place],
            self.exchanges[place], self.conditions[place], self.numbers[place], self._tapes[place],
        )  # fmt: skip

    def in_order_of_arrival(self, places: Iterable[int]) -> list[int]:
        """Which of the sequence these are, sorted."""
        wanted = set(places)
        return [n for n, place in enumerate(self._places.tolist()) if place in wanted]


class Quotes(_Columns[Quote]):
    """`symbols` and `times` are as long as there are quotes; `values` has bid, bid size, ask, ask size of each."""

    def __init__(
        self, symbols: Sequence[str], times: Ints, values: Floats, newest: Sequence[tuple[int, Quote]]
    ) -> None:
        self.newest = newest
        """Of each symbol the time of its first and its last quote, if all of them are plainly good and in order; empty if
        not: then each is to be judged by name."""
        self._symbols, self._times, self._values = symbols, times, values

    def __len__(self) -> int:
        return len(self._times)

    def make(self, at: int) -> Quote:
        bid, bid_size, ask, ask_size = self._values[:, at].tolist()
        return Quote(self._symbols[at], bid, bid_size, ask, ask_size, int(self._times[at]))
