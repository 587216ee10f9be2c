"""What gives way first when a source brings more than can be worked on: quotes of which a newer one is there already."""

from __future__ import annotations

from engine.domain.market import Quote
from engine.market.batch import Batch

LONGEST_FULL = 2.0
"""Seconds of one full burst after another, after which quotes are conflated before they are checked: we are too slow."""


class Overload:
    """Of one source; `conflated` counts the quotes that a newer one of the same symbol took the place of."""

    def __init__(self) -> None:
        self.conflated = 0
        self._full_since = -1.0

    def look(self, batch: Batch, full: bool, at: float) -> None:
        """`full` = this was all that may wait; `at` is monotonic seconds."""
        if not full:
            self._full_since = -1.0
        elif self._full_since < 0:
            self._full_since = at
        elif at - self._full_since > LONGEST_FULL:
            newest: dict[str, Quote] = {quote.symbol: quote for quote in batch.quotes}
            self.conflated += len(batch.quotes) - len(newest)
            batch.quotes = list(newest.values())
