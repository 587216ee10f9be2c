"""How much at once and in all: of one order, one parent, one symbol, the account and its money."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from engine.domain.market import is_crypto
from engine.domain.portfolio import ZERO
from engine.risk.case import Case
from engine.risk.context import Context
from engine.risk.rules.base import Refusal

_CLOSE_SOME = "Close or cancel some first."


def order_quantity(case: Case) -> Refusal | None:
    limit = case.limits.max_order_quantity
    if case.request.quantity <= limit:
        return None
    return Refusal(
        f"{case.request.quantity} is more than {limit}, the most in one order.", "Split it, or raise the limit."
    )


def order_notional(case: Case) -> Refusal | None:
    limit = notional_limit(case)
    if case.notional is not None and case.notional <= limit:
        return None
    worth = "unknown" if case.notional is None else f"${case.notional:,.2f}"
    return Refusal(f"The order is worth {worth}; ${limit:,.2f} is the most in one order.", "Trade less at a time.")


def slices(case: Case) -> Refusal | None:
    """Children of one parent never trade more than the parent."""
    request = case.request
    if not request.parent_id:
        return None
    if request.parent_quantity is None:
        return Refusal("How much all slices may trade is not known.", "Place it with its parent's quantity.")
    left = request.parent_quantity - case.context.sliced
    if request.quantity <= left:
        return None
    return Refusal(
        f"Of {request.parent_quantity} {request.symbol} in all, {max(left, ZERO)} are left for this slice.",
        "Cancel slices that still work, or begin a new parent.",
    )


def position_size(case: Case) -> Refusal | None:
    if case.price is None:
        return Refusal(f"There is no price for {case.request.symbol}.", "Wait for a quote.")
    worth = case.position_after * case.price
    limit = share(case.context, case.limits.max_position_share)
    if worth <= limit:
        return None
    return Refusal(
        f"With it, {case.request.symbol} could come to ${worth:,.0f}, orders included; "
        f"${limit:,.0f} is the most in one symbol.",
        _CLOSE_SOME,
    )


def gross_exposure(case: Case) -> Refusal | None:
    after, limit = case.exposure_after, share(case.context, case.limits.max_gross_exposure)
    if after is not None and after <= limit:
        return None
    worth = "an unknown sum" if after is None else f"${after:,.0f}"
    return Refusal(f"With it, {worth} would be at risk, orders included; ${limit:,.0f} is the limit.", _CLOSE_SOME)


def buying_power(case: Case) -> Refusal | None:
    account = case.context.account
    available = (account.buying_power if account is not None else ZERO) + case.context.released
    if account is not None and is_crypto(case.request.symbol) and account.non_marginable_buying_power is not None:
        # Coins cannot be bought on margin.
        available = min(available, account.non_marginable_buying_power + case.context.released)
    if case.notional is not None and case.notional <= available:
        return None
    return Refusal(f"Buying power is ${available:,.2f}.", "Trade less, or close something.")


def notional_limit(case: Case) -> Decimal:
    """Dollars in one order: the sum or the share of equity, whichever is less."""
    return min(case.limits.max_order_notional, share(case.context, case.limits.max_order_share))


def share(context: Context, of_equity: float) -> Decimal:
    """Dollars."""
    return context.equity * exact(of_equity)


@lru_cache(maxsize=64)
def exact(number: float) -> Decimal:
    """A limit as it is written in the configuration."""
    return Decimal(repr(number))
