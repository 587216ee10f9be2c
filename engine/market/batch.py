"""What a source yields: a batch of market data, whatever it came over."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.domain.market import Bar, Quote, Trade


class Correction(msgspec.Struct, frozen=True):
    """A print that was told wrongly: the one to take back, and the one to put in its place (None = it never happened).

    The two share symbol and exchange; the time of the taken one says where to look, 0 = the tape did not say.
    """

    symbol: str
    exchange: str
    trade_id: int
    price: float
    size: float
    timestamp: int
    replacement: Trade | None = None


class Batch(msgspec.Struct, kw_only=True):
    """Each kind in the order of its arrival. `bars` are the venue's own closed minutes; `daily` its growing days."""

    trades: Sequence[Trade] = ()
    quotes: Sequence[Quote] = ()
    bars: Sequence[Bar] = ()
    daily: Sequence[Bar] = ()
    corrections: Sequence[Correction] = ()
    rejected: int = 0
    """Messages that could not be read."""
    received_at: float = 0.0
    """Monotonic seconds at which the first byte of it was here."""
    fresh: bool = False
    """The first after a (re)connect."""
    filled: bool = False
    """Read afterwards, to fill a gap of the stream."""

    @property
    def count(self) -> int:
        return len(self.trades) + len(self.quotes) + len(self.bars) + len(self.corrections)
