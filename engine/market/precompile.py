"""`python -m engine.market.precompile`: compile what feeds compile, so that the first start need not; some ten seconds.

What is missing, or older than its source, a feed compiles by itself beside its work.
"""

from __future__ import annotations

from engine.domain.market import Bar, Timeframe
from engine.market.indicators.table import IndicatorTable
from engine.market.packed import decoder

if __name__ == "__main__":
    decoder.load()
    IndicatorTable().take([Bar("", Timeframe.MINUTE_1, 0, 1.0, 1.0, 1.0, 1.0, 1.0)], [0])
