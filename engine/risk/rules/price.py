"""Whether there is a price to hold the order against, and the order is near it."""

from __future__ import annotations

from engine.domain.orders import OrderType, Side
from engine.risk.case import Case
from engine.risk.rules.base import Refusal
from engine.risk.rules.size import exact

CLOCK_STEP = 1.0
"""Seconds by which a clock may be corrected without anybody minding."""


def fresh_quote(case: Case) -> Refusal | None:
    symbol, view, limit = case.request.symbol, case.context.price, case.limits.max_quote_age_s
    if view is None or case.reference is None:
        return Refusal(f"There is no price for {symbol}.", "Add it to the watch list and wait for a quote.")
    if view.age < -CLOCK_STEP:
        return Refusal(f"The quote of {symbol} is from the future.", "The clock was set back; wait for a quote.")
    if not view.age <= limit:
        return Refusal(
            f"The quote of {symbol} is {view.age:.1f} s old; {limit:g} s is the limit.",
            "Look at the feed under Processes.",
        )
    return None


def price_collar(case: Case) -> Refusal | None:
    limit, market = case.request.limit_price, case.reference
    if limit is None or market is None:
        return None
    buying, stop = case.request.side is Side.BUY, case.request.stop_price
    if stop is not None:
        # By then the market has gone to the stop.
        market = max(market, stop) if buying else min(market, stop)
    distance = (limit - market) / market
    through = distance if buying else -distance
    share = collar(case)
    if through <= exact(share):
        return None
    return Refusal(
        f"{limit} is {float(through):.1%} through the market at {market}; {share:.0%} is the limit.",
        "Check the price for a typing mistake.",
    )


def stop_side(case: Case) -> Refusal | None:
    """A stop on the wrong side of the market would go off at once."""
    stop, market = case.request.stop_price, case.reference
    if stop is None or market is None or case.request.type is OrderType.TRAILING_STOP:
        return None
    if (stop - market) * case.request.side.sign > 0:
        return None
    side = "above" if case.request.side is Side.BUY else "below"
    return Refusal(f"A stop at {stop} would go off at once: it must be {side} {market}.", "Move the stop.")


def collar(case: Case) -> float:
    """Wider outside regular hours, when quotes are."""
    regular = case.context.market_open is not False
    return case.limits.price_collar if regular else case.limits.price_collar_extended
