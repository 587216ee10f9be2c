"""How often: the same again, too much one way, orders a second, minute and day, the venue's requests, orders open."""

from __future__ import annotations

from engine.domain.market import NANOSECONDS
from engine.risk.case import Case
from engine.risk.recent import DAY
from engine.risk.rules.base import Refusal

MINUTE = 60 * NANOSECONDS


def duplicate(case: Case) -> Refusal | None:
    context, window = case.context, case.limits.duplicate_window_s
    last = context.recent.last_like(case.request)
    # What takes the place of a working order cannot double it.
    if last is None or context.replaces is not None or last < context.now - round(window * NANOSECONDS):
        return None
    return Refusal(
        f"The same order was placed {(context.now - last) / NANOSECONDS:.1f} s ago.",
        f"If it is meant twice, wait {window:g} s or change the quantity.",
    )


def repeated_execution(case: Case) -> Refusal | None:
    left = case.context.paused_until - case.context.monotonic
    if left <= 0:
        return None
    return Refusal(
        f"{case.request.sleeve} traded {case.request.symbol} too often one way and is paused for {left:.0f} s.",
        "Look at the bot; it goes on by itself.",
    )


def order_rate(case: Case) -> Refusal | None:
    recent, now, limits = case.context.recent, case.context.now, case.limits
    if recent.reached(limits.orders_per_second, now - NANOSECONDS):
        return Refusal(f"{limits.orders_per_second} orders a second is the limit.", "Wait, or raise the limit.")
    if recent.reached(limits.orders_per_minute, now - MINUTE):
        return Refusal(f"{limits.orders_per_minute} orders a minute is the limit.", "Wait, or raise the limit.")
    return None


def daily_orders(case: Case) -> Refusal | None:
    recent, since, limits = case.context.recent, case.context.now - DAY, case.limits
    if recent.reached(limits.orders_per_day, since):
        return Refusal(f"{limits.orders_per_day} orders a day is the limit.", "Wait, or raise the limit.")
    sleeve, limit = case.request.sleeve, limits.orders_per_day_and_sleeve
    if recent.reached(limit, since, sleeve):
        return Refusal(f"{sleeve} has had its {limit} orders of the day.", "Raise the limit, or wait.")
    return None


def broker_rate(case: Case) -> Refusal | None:
    """Cancels and queries keep their share of the venue's request limit."""
    used, kept = case.context.rate_used, case.limits.rate_kept_for_cancels
    if used <= 1 - kept:
        return None
    return Refusal(
        f"{used:.0%} of the venue's request limit is used; the last {kept:.0%} are for cancels.", "Wait a moment."
    )


def open_orders(case: Case) -> Refusal | None:
    total, same = case.context.open_count, len(case.context.working)
    if total >= case.limits.max_open_orders:
        return Refusal(f"{total} orders are open, the most there may be.", "Cancel some.")
    if same >= case.limits.max_open_orders_per_symbol:
        return Refusal(f"{same} orders are open in {case.request.symbol}, the most there may be.", "Cancel some.")
    return None
