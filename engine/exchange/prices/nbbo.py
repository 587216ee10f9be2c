"""The best bid and offer over exchanges, from updates that each change one side of one exchange's quote."""

from __future__ import annotations

from collections.abc import Callable

from engine.domain.market import Quote

Level = tuple[float, float, int]
"""Price, size, time of the update."""


class BestQuotes:
    """A zero price in an update means that it says nothing of that side. Where a fresh quote crosses older ones of the
    other side, those are stale and dropped; the recording does not say when they were withdrawn.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._bids: dict[str, Level] = {}
        self._asks: dict[str, Level] = {}
        self._shown = (0.0, 0.0, 0.0, 0.0)

    def update(self, at: int, exchange: str, bid: float, bid_size: float, ask: float, ask_size: float) -> Quote | None:
        """The new best quote, or None when it stays as it was."""
        if bid > 0:
            self._bids[exchange] = (bid, bid_size, at)
            self._asks = {name: level for name, level in self._asks.items() if level[0] >= bid}
        if ask > 0:
            self._asks[exchange] = (ask, ask_size, at)
            self._bids = {name: level for name, level in self._bids.items() if level[0] <= ask}
        shown = (*_best(self._bids, max), *_best(self._asks, min))
        if shown == self._shown:
            return None
        self._shown = shown
        return Quote(self._symbol, *shown, at)


def _best(levels: dict[str, Level], choose: Callable[..., float]) -> tuple[float, float]:
    """The best price and the largest size shown there; zeros when the side is empty."""
    if not levels:
        return 0.0, 0.0
    price = choose(level[0] for level in levels.values())
    return price, max(level[1] for level in levels.values() if level[0] == price)
