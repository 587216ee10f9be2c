"""FAKEPACA, the symbol of the test feed: a made-up price that moves every second, at any hour."""

from __future__ import annotations

import math

from engine.domain.market import NANOSECONDS, Bar, Quote, Timeframe, Trade
from engine.exchange.prices.events import TapeEvent

SYMBOL = "FAKEPACA"


def fakepaca(before: int, now: int) -> tuple[list[TapeEvent], list[Bar]]:
    """The last second's quote and print and the last minute's bar, when one has begun since `before`."""
    second = now // NANOSECONDS
    if before // NANOSECONDS == second:
        return [], []
    at = second * NANOSECONDS
    price = _price(second)
    events: list[TapeEvent] = [
        Quote(SYMBOL, round(price - 0.01, 2), 1.0, round(price + 0.01, 2), 1.0, at),
        Trade(SYMBOL, price, 1.0, at, "N", ("@",), second),
    ]
    minute = second // 60
    return events, [_bar(minute - 1)] if before // NANOSECONDS // 60 < minute else []


def _price(second: int) -> float:
    return round(133 + math.sin(second / 60), 2)


def _bar(minute: int) -> Bar:
    prices = [_price(minute * 60 + second) for second in range(60)]
    mean = round(sum(prices) / 60, 6)
    start = minute * 60 * NANOSECONDS
    return Bar(SYMBOL, Timeframe.MINUTE_1, start, prices[0], max(prices), min(prices), prices[-1], 60.0, 60, mean)
