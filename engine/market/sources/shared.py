"""What sources on a shared server have in common: somebody else publishes Alpaca's frames there, for everybody.

All symbols come, and a source keeps its own. The server may be well while nobody publishes: then the watchdog's word
counts, and the source is not taken for working until something comes, so that the next one stands in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping

import msgspec

from engine.domain.errors import UnavailableError
from engine.market.batch import Batch
from engine.market.entries import decode_entries
from engine.market.sources.base import SourceState
from engine.market.sources.overload import Overload
from engine.market.sources.pauses import Pauses

log = logging.getLogger(__name__)

TOGETHER = 32
"""Entries of one batch at most."""


class Arrival(msgspec.Struct):
    """What one question to the server brought."""

    entries: list[bytes] = []
    full: bool = False
    """Whether more may wait."""
    gap: bool = False
    """Whether entries before these are gone from the server and were never read."""


class SharedSource(ABC):
    """A source, see `sources.base`. `gaps` counts how often the server no longer had what was to be read next."""

    has_quotes = True

    def __init__(self, name: str, seed: int | None = None) -> None:
        self.name = name
        self.state = SourceState.DISCONNECTED
        self.error = ""
        self.symbols: set[str] = set()
        self.reconnects = 0
        self.gaps = 0
        self.refused: frozenset[str] = frozenset()
        self._overload = Overload()
        self._pauses = Pauses(seed)
        self._leaving = ""
        self._mute = False

    @property
    def conflated(self) -> int:
        return self._overload.conflated

    @property
    def shed(self) -> Mapping[str, int]:
        return self._overload.shed

    async def subscribe(self, symbols: Iterable[str]) -> None:
        self.symbols |= set(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        self.symbols -= set(symbols)

    def reconnect(self, reason: str) -> None:
        self._leaving, self._mute = reason, True
        self.state, self.error = SourceState.DISCONNECTED, reason

    async def __aiter__(self) -> AsyncIterator[Batch]:
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            self.state = SourceState.CONNECTING
            try:
                async with contextlib.aclosing(self._session()) as arrivals:
                    async for arrival in arrivals:
                        for batch in self._batches(arrival):
                            yield batch
                        if self._leaving:
                            break
            except UnavailableError as error:
                if error.message != self.error:
                    log.warning("%s: %s", self.name, error.message, extra={"remedy": error.remedy})
                self.error = error.message
            self.state, self._leaving = SourceState.DISCONNECTED, ""
            self.reconnects += 1
            await asyncio.sleep(self._pauses.after(now() - began))

    @abstractmethod
    def _session(self) -> AsyncGenerator[Arrival, None]:
        """One connection: an arrival as soon as there is one, empty or not, and at least one a second after that.

        Raises UnavailableError. Reads on after what the session before read last, the first one from now on.
        """

    def _batches(self, arrival: Arrival) -> Iterator[Batch]:
        if arrival.gap:
            self.gaps += 1
            log.warning("%s: entries are gone that were not read yet; REST is asked for them.", self.name)
        if self._leaving or (self._mute and not arrival.entries):
            return
        fresh = self.state is not SourceState.SUBSCRIBED or arrival.gap
        self._mute = False
        self.state, self.error = SourceState.SUBSCRIBED, ""
        received_at = asyncio.get_running_loop().time()
        for first in range(0, max(len(arrival.entries), int(fresh)), TOGETHER):
            frame = decode_entries(arrival.entries[first : first + TOGETHER])
            frame.received_at, frame.fresh, fresh = received_at, fresh, False
            self._keep_own(frame)
            self._overload.look(frame, arrival.full, received_at)
            yield frame

    def _keep_own(self, frame: Batch) -> None:
        symbols = self.symbols
        frame.trades = [trade for trade in frame.trades if trade.symbol in symbols]
        frame.quotes = [quote for quote in frame.quotes if quote.symbol in symbols]
        frame.bars = [bar for bar in frame.bars if bar.symbol in symbols]
        frame.corrections = [correction for correction in frame.corrections if correction.symbol in symbols]
