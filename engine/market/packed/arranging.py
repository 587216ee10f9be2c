"""Compiled loops over the columns that the kernel has filled: quotes conflated, trades side by side by their symbols."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.market.compiling import compiled
from engine.market.packed.kernel import FIRST_WORD, QUOTE_SYMBOL, SYMBOL, TIME


@compiled
def newest_of_each(quotes: Any, values: Any, count: int, latest: Any, newest: Any) -> int:
    """Which symbols have quotes: `newest` gets the time of the first and the column of the last of each. How many; -1
    when a quote is not plainly good, or earlier than the one before it of its symbol.

    `latest` has a place for each word, all -1; they are so again afterwards.
    """
    n = 0
    good = True
    for k in range(count):
        bid, bid_size, ask, ask_size = values[0, k], values[1, k], values[2, k], values[3, k]
        if not (0.0 <= bid <= ask < np.inf and bid_size >= 0.0 and ask_size >= 0.0):
            good = False
            break
        symbol = quotes[QUOTE_SYMBOL, k]
        row = latest[symbol]
        if row < 0:
            newest[n, 0], newest[n, 1], latest[symbol] = quotes[TIME, k], k, n
            n += 1
        elif quotes[TIME, k] < quotes[TIME, newest[row, 1]]:
            good = False
            break
        else:
            newest[row, 1] = k
    for row in range(n):
        latest[quotes[QUOTE_SYMBOL, newest[row, 1]]] = -1
    return n if good else -1


@compiled
def group_by_symbol(trades: Any, values: Any, count: int, scratch: Any, ends: Any, places: Any, grouped: Any, grouped_values: Any) -> int:  # fmt: skip
    """Trades of one symbol side by side, in their order. Returns how many symbols; `ends` gets where each group ends, and
    `places` where each trade has gone.

    `scratch` is `latest` of `newest_of_each`.
    """
    n = 0
    for k in range(count):
        symbol = trades[FIRST_WORD + SYMBOL, k]
        group = scratch[symbol]
        if group < 0:
            scratch[symbol] = group = n
            ends[n] = 0
            n += 1
        ends[group] += 1
        places[k] = group
    total = 0
    for group in range(n):
        ends[group], total = total, total + ends[group]
    for k in range(count):
        group = places[k]
        at = ends[group]
        ends[group] = at + 1
        places[k] = at
        for row in range(trades.shape[0]):
            grouped[row, at] = trades[row, k]
        grouped_values[0, at], grouped_values[1, at] = values[0, k], values[1, k]
    for group in range(n):
        scratch[grouped[FIRST_WORD + SYMBOL, ends[group] - 1]] = -1
    return n
