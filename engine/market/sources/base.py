"""The protocol of a source: an async iterator of batches that reconnects by itself and says how it fares."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from engine.market.batch import Batch


class SourceState(StrEnum):
    DISCONNECTED = "DISCONNECTED"
    CONNECTING = "CONNECTING"
    SUBSCRIBED = "SUBSCRIBED"


class Source(Protocol):
    """Iterate it once; the iteration ends with the source (a replay), or by an error that no repetition cures.

    The first batch after each (re)connect has `fresh` set: what came before it may have been missed.
    """

    name: str
    """As a person calls it, such as "iex stream"."""
    state: SourceState
    error: str
    """Why there is no data now; empty when there is."""
    has_quotes: bool
    """Whether quotes come from it at all; where they do not, those of the source before must not be believed any longer."""
    symbols: set[str]
    reconnects: int

    @property
    def refused(self) -> Iterable[str]:
        """Symbols that are wanted and, asked for again and again, not sent."""
        ...

    @property
    def conflated(self) -> int:
        """Quotes that a newer one of the same symbol took the place of, because the reader fell behind."""
        ...

    @property
    def shed(self) -> Mapping[str, int]:
        """What else was left out because of that, by kind; trades among it are read over REST afterwards."""
        ...

    def __aiter__(self) -> AsyncIterator[Batch]: ...

    async def subscribe(self, symbols: Iterable[str]) -> None: ...

    async def unsubscribe(self, symbols: Iterable[str]) -> None: ...

    def reconnect(self, reason: str) -> None:
        """Leave this connection, as one that is open and mute, and make another."""
        ...
