"""Trades asked for over REST, one symbol after another: what stands in while the stream is away.

Slow on purpose: the free plan allows 200 requests a minute, and history and orders need some of them. Quotes are not
asked for: one that is seconds old would be taken for the market.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable

from engine.domain.errors import UnavailableError
from engine.domain.market import NANOSECONDS
from engine.market.batch import Batch
from engine.market.rest import MarketRest
from engine.market.sources.base import SourceState

PAUSE = 1.0
"""Seconds from one request to the next."""
MOST = 1_000
"""Trades of one answer; a busier symbol loses the oldest, and its minutes come from the venue at the next catching up."""
CUT = "answers without their oldest trades"
LOOK_BACK = 30 * NANOSECONDS
OVERLAP = NANOSECONDS


class RestPolling:
    """A source, see `sources.base`. `now` gives the venue's time, 0 while it is not known."""

    has_quotes = False

    def __init__(self, name: str, rest: MarketRest, now: Callable[[], int]) -> None:
        self.name = name
        self.state = SourceState.DISCONNECTED
        self.error = ""
        self.symbols: set[str] = set()
        self.reconnects = 0
        self.conflated = 0
        self.shed: Counter[str] = Counter()
        self.refused: frozenset[str] = frozenset()
        self._rest = rest
        self._now = now
        self._read_to: dict[str, int] = {}

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)

    def reconnect(self, reason: str) -> None:
        """There is no connection to leave: the next question is a new one."""

    async def __aiter__(self) -> AsyncIterator[Batch]:
        self.state = SourceState.CONNECTING
        self._read_to.clear()
        yield Batch(fresh=True)
        while True:
            for symbol in sorted(self.symbols) or [""]:
                await asyncio.sleep(PAUSE)
                if symbol in self.symbols and (batch := await self._ask(symbol)) is not None:
                    yield batch

    async def _ask(self, symbol: str) -> Batch | None:
        now = self._now()
        since = self._read_to.get(symbol, now - LOOK_BACK) - OVERLAP
        if now <= 0:
            return None
        received_at = asyncio.get_running_loop().time()
        try:
            trades = await self._rest.newest_trades(symbol, since, MOST)
        except UnavailableError as error:
            self.state, self.error = SourceState.DISCONNECTED, error.message
            return None
        self.state, self.error = SourceState.SUBSCRIBED, ""
        if len(trades) == MOST and trades[0].timestamp > since + OVERLAP:
            self.shed[CUT] += 1
        self._read_to[symbol] = trades[-1].timestamp if trades else since + OVERLAP
        return Batch(trades=trades, received_at=received_at, filled=True) if trades else None
