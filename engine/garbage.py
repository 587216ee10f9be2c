"""Garbage collection of a process without a window; a window's is in console/collector.py."""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 20)
"""As `gc.set_threshold` takes them."""


def spare_the_living(*thresholds: int) -> None:
    """Call when the process is ready. What its start has made stays, and messages and orders form few cycles: looking at
    them again and again costs up to a fifth of the time of an order, and holds up everything for 10 ms at a time.

    `thresholds` other than the usual ones, where even less is to be looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*(thresholds or THRESHOLDS))
