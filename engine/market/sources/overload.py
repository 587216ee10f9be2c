"""What gives way, and in which order, when a source brings more than can be worked on; every loss is counted by kind.

First quotes of which a newer one is there already, then the venue's minutes, which are built from trades anyway, and at
last trades: then the source is marked as interrupted, so that what was left out is read over REST as after any gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.domain.market import Quote
from engine.market.batch import Batch
from engine.market.columns import Quotes

LONGEST_FULL = 2.0
"""Seconds of one full burst after another, after which quotes are conflated before they are checked: we are too slow."""
BARS_AFTER, TRADES_AFTER = 5.0, 15.0
"""Times as long, after which minutes and then trades are left out."""
BARS, TRADES = "minutes", "trades"


class Overload:
    """Of one source."""

    def __init__(self) -> None:
        self.conflated = 0
        """Quotes that a newer one of the same symbol took the place of."""
        self.shed: Counter[str] = Counter()
        """What else was left out, by kind."""
        self._full_since = -1.0
        self._owes_trades = False

    def look(self, batch: Batch, full: bool, at: float) -> None:
        """`full` = this was all that may wait; `at` is monotonic seconds. The batch is changed in place."""
        if not full:
            self._full_since = -1.0
        elif self._full_since < 0:
            self._full_since = at
        elif at - self._full_since > LONGEST_FULL:
            self._relieve(batch, at - self._full_since)
            return
        if self._owes_trades:
            batch.fresh, self._owes_trades = True, False

    def _relieve(self, batch: Batch, full_for: float) -> None:
        newest = _newest_of_each(batch.quotes)
        self.conflated += len(batch.quotes) - len(newest)
        batch.quotes = newest
        if full_for > LONGEST_FULL * BARS_AFTER and batch.bars:
            self.shed[BARS] += len(batch.bars)
            batch.bars = ()
        if full_for > LONGEST_FULL * TRADES_AFTER and batch.trades:
            self.shed[TRADES] += len(batch.trades)
            batch.trades = ()
            self._owes_trades = True


def _newest_of_each(quotes: Sequence[Quote]) -> list[Quote]:
    if isinstance(quotes, Quotes) and quotes.newest:
        return [quote for _, quote in quotes.newest]
    return list({quote.symbol: quote for quote in quotes}.values())
