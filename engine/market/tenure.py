"""From when until when a feed speaks for a symbol, so that symbols move between feeds with nothing lost or said twice.

Both feeds build the symbol's candles for a while. At one moment of the tape the word passes from one to the other: a
bar that ends by then is the old feed's, every later one the new feed's, and what goes on growing is the one's who has
the word at the time.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.domain.market import NANOSECONDS, Bar
from engine.streams.messages import Candles, Indicators, Message, Quotes

NEVER = 1 << 62
"""A moment that does not come: the symbol is watched and nothing is said of it."""
GRACE = 5 * NANOSECONDS
"""How long the old feed goes on by the tape's time, for late prints of the bars that were its own."""


class Tenure:
    """Times are those of the tape, int nanoseconds UTC. Symbols that never move cost nothing."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._until: dict[str, int] = {}

    def begin(self, symbols: Iterable[str], since: int) -> None:
        """0 = at once."""
        for symbol in symbols:
            self._until.pop(symbol, None)
            self._since[symbol] = since
            if not since:
                del self._since[symbol]

    def end(self, symbols: Iterable[str], until: int) -> None:
        self._until.update(dict.fromkeys(symbols, until))

    def forget(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self._since.pop(symbol, None)
            self._until.pop(symbol, None)

    @property
    def silent(self) -> list[str]:
        """Symbols that are followed and wait for the word."""
        return [symbol for symbol, since in self._since.items() if since == NEVER]

    def over(self, now: int) -> list[str]:
        """Symbols to let go."""
        return [symbol for symbol, until in self._until.items() if now >= until + GRACE]

    def settle(self, now: int) -> None:
        """What began long ago needs no looking at any more."""
        for symbol in [symbol for symbol, since in self._since.items() if now >= since + GRACE]:
            del self._since[symbol]

    def ours(self, message: Message, now: int) -> Message | None:
        """What of a message is this feed's to say; None for nothing."""
        if not self._since and not self._until:
            return message
        match message:
            case Candles(timeframe, bars):
                kept = [bar for bar in bars if self._has(bar.symbol, _end(bar) if bar.closed else now)]
                return Candles(timeframe, kept) if kept else None
            case Quotes(quotes):
                states = [state for state in quotes if self._has(state.symbol, now)]
                return Quotes(states) if states else None
            case Indicators(timeframe, values):
                step = timeframe.nanoseconds
                own = [value for value in values if self._has(value.symbol, value.timestamp + step)]
                return Indicators(timeframe, own) if own else None
        return message

    def _has(self, symbol: str, at: int) -> bool:
        """A bar that ends just at the moment of the change is still the old feed's."""
        since, until = self._since.get(symbol), self._until.get(symbol)
        return (since is None or at > since) and (until is None or at <= until)


def _end(bar: Bar) -> int:
    return bar.timestamp + bar.timeframe.nanoseconds
