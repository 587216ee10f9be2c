"""Bars as they would have been had the splits, or the dividends, always been: the `adjustment` of a bars request."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from engine.exchange.corporate import CorporateAction
from engine.exchange.prices.acted import MINUTE, scale
from engine.exchange.prices.base import BarColumns
from engine.exchange.sessions import midnight


def adjust(
    bars: BarColumns, actions: Iterable[CorporateAction], adjustments: Collection[str], *, is_daily: bool
) -> BarColumns:
    """`adjustments` are words of Alpaca's: raw, split, dividend, all. Rows before an action are multiplied, prices by
    its factor and for a split volumes by its ratio. The bar that was growing when it came goes with those after it.
    """
    for action in actions:
        if not {"all", "split" if action.kind.is_split else "dividend"}.intersection(adjustments):
            continue
        at = action.effective_at
        before = bars.timestamp < (midnight(at) if is_daily else at - at % MINUTE)
        volumes = np.where(before, float(action.ratio), 1.0) if action.kind.is_split else None
        bars = scale(bars, np.where(before, action.factor, 1.0), volumes)
    return bars
