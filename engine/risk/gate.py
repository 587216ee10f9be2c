"""The gate: every order, a person's or a bot's, is held against the rules in turn; the first refusal counts."""

from __future__ import annotations

from engine.control import Verdict
from engine.domain.orders import OrderRequest
from engine.domain.portfolio import ZERO
from engine.risk.case import Case, examine
from engine.risk.context import Context
from engine.risk.rules import form, pace, permission, price, size, state
from engine.risk.rules.base import Refusal, Rule

VENUE: tuple[Rule, ...] = (state.trading_state, state.live_account, state.account_usable, state.market_open)
"""Also for the emergency stop: the venue itself would refuse, or a person decided it."""

FORM: tuple[Rule, ...] = (
    form.order_terms,
    form.tick_size,
    form.quantity_step,
    form.exits,
    form.expired,
    size.slices,
)
"""Also for orders that only reduce: as they are, they could not be meant."""

INCREASING: tuple[Rule, ...] = (
    state.reconciled,
    state.account_active,
    permission.asset_known,
    permission.asset_tradable,
    permission.restricted,
    permission.allowed,
    price.fresh_quote,
    price.price_collar,
    price.stop_side,
    size.order_quantity,
    size.order_notional,
    permission.short_sale,
    permission.still_held,
    permission.pattern_day_trade,
    size.position_size,
    size.gross_exposure,
    size.buying_power,
    permission.self_cross,
    pace.duplicate,
    pace.repeated_execution,
    pace.order_rate,
    pace.daily_orders,
    pace.broker_rate,
    pace.open_orders,
)
REDUCING = VENUE + FORM
ALL = VENUE + FORM + INCREASING


def check(request: OrderRequest, context: Context) -> Verdict:
    """What is found wrong first, or allowed; with the values that were looked at."""
    malformed = form.well_formed(request)
    if malformed is not None:
        # The other rules calculate with the order's numbers, so they come after this one.
        return Verdict(allowed=False, rule="well_formed", message=malformed.message, remedy=malformed.remedy)
    case = examine(request, context)
    for rule in _applied(case):
        refusal = rule(case)
        if refusal is not None:
            return _verdict(case, rule.__name__, refusal)
    return _verdict(case, "", Refusal(""))


def _applied(case: Case) -> tuple[Rule, ...]:
    # The emergency stop closes what the venue says is held; no limit may keep that open.
    if case.context.emergency:
        return VENUE
    return REDUCING if case.reduces else ALL


def _verdict(case: Case, rule: str, refusal: Refusal) -> Verdict:
    return Verdict(
        allowed=not rule,
        rule=rule,
        message=refusal.message,
        remedy=refusal.remedy,
        notional=case.notional if case.notional is not None else ZERO,
        reference_price=case.reference if case.reference is not None else ZERO,
        values=_values(case),
    )


def _values(case: Case) -> dict[str, str]:
    context, limits = case.context, case.limits
    seen = {
        "trading state": context.trading_state.value,
        "equity": str(context.equity),
        "buying power": str(context.account.buying_power) if context.account is not None else "unknown",
        "reference price": str(case.reference),
        "order price": str(case.price),
        "notional": str(case.notional),
        "notional limit": str(size.notional_limit(case)),
        "net position": str(context.net_position),
        "sleeve position": str(context.sleeve_position),
        "pending buys": str(case.buys),
        "pending sells": str(case.sells),
        "position after": str(case.position_after),
        "position limit": str(size.share(context, limits.max_position_share)),
        "gross exposure": str(context.gross_exposure),
        "gross exposure after": str(case.exposure_after),
        "gross exposure limit": str(size.share(context, limits.max_gross_exposure)),
        "open orders": str(context.open_count),
        "request rate used": f"{context.rate_used:.3g}",
        "reduces": "yes" if case.reduces else "no",
    }
    if (view := context.price) is not None:
        seen |= {"bid": str(view.bid), "ask": str(view.ask), "quote age": f"{view.age:.3f}"}
    return seen
