"""Where a bar fills the orders that stand before it: pure functions of orders and one bar."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.market import Bar
from engine.domain.orders import Side
from engine.exchange.book import Book
from engine.exchange.orders import Working
from engine.exchange.triggers import is_triggered, to_decimal, within_limit


def bar_candidates(book: Book, side: Side, bar: Bar, standing: list[Working]) -> list[tuple[Working, Decimal]]:
    """The orders of `side` that `bar` fills, in priority, each with its price. Stops of `standing` that it sets off
    move to their queue.
    """
    candidates = [
        (working, price)
        for working in book.queue(side)
        if working.active and (price := bar_price(working, bar)) is not None
    ]
    for working in standing:
        if working.order.side is not side or not working.active:
            continue
        at = bar_trigger_price(working, bar)
        if at is None:
            continue
        book.trigger(working)
        if within_limit(working, at):
            candidates.append((working, at))
    return candidates


def bar_trigger_price(working: Working, bar: Bar) -> Decimal | None:
    """Where within `bar` the stop goes off: at the open when the bar opens beyond it, else at the stop itself."""
    opening = to_decimal(bar.open)
    if is_triggered(working, opening):
        return opening
    extreme = to_decimal(bar.high if working.order.side is Side.BUY else bar.low)
    return working.stop if is_triggered(working, extreme) else None


def bar_price(working: Working, bar: Bar) -> Decimal | None:
    """Where `bar` fills an order that stands before it: a market order at the open, a limit order at the better open,
    or at its limit when the bar trades through it. A bar that only touches the limit does not fill: others were first.
    """
    opening = to_decimal(bar.open)
    limit = working.limit
    if limit is None:
        return opening
    if working.order.side is Side.BUY:
        if opening <= limit:
            return opening
        return limit if to_decimal(bar.low) < limit else None
    if opening >= limit:
        return opening
    return limit if to_decimal(bar.high) > limit else None
