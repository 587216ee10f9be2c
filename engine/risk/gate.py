"""The gate: every order, a person's or a bot's, is held against the rules in turn; the first refusal counts."""

from __future__ import annotations

from decimal import Decimal

from engine.control import Verdict
from engine.domain.orders import OrderRequest
from engine.risk import rules
from engine.risk.context import Context

ALWAYS: tuple[rules.Rule, ...] = (rules.trading_state, rules.account_usable, rules.market_open)
"""Also for orders that only reduce: they hold for the venue too, or for what a person decided."""

INCREASING: tuple[rules.Rule, ...] = (
    rules.reconciled,
    rules.fresh_quote,
    rules.price_collar,
    rules.order_quantity,
    rules.order_notional,
    rules.no_short,
    rules.still_held,
    rules.position_size,
    rules.gross_exposure,
    rules.buying_power,
    rules.self_cross,
    rules.duplicate,
    rules.repeated_execution,
    rules.order_rate,
    rules.open_orders,
)


def check(request: OrderRequest, context: Context) -> Verdict:
    """What is found wrong first, or allowed; with the values that were looked at."""
    malformed = rules.well_formed(request, context)
    if malformed is not None:
        # The other rules calculate with the order's numbers, so they come after this one.
        return Verdict(allowed=False, rule="well_formed", message=malformed.message, remedy=malformed.remedy)
    price = context.order_price(request) or Decimal(0)
    reference = context.reference(request.side) or Decimal(0)
    # The emergency stop closes what the venue says is held; no limit may keep that open.
    applied = ALWAYS if context.emergency or context.reduces(request) else ALWAYS + INCREASING
    name, refusal = "", None
    for rule in applied:
        refusal = rule(request, context)
        if refusal is not None:
            name = rule.__name__
            break
    return Verdict(
        allowed=refusal is None,
        rule=name,
        message=refusal.message if refusal else "",
        remedy=refusal.remedy if refusal else "",
        notional=request.quantity * price,
        reference_price=reference,
        values=_values(context),
    )


def _values(context: Context) -> dict[str, str]:
    return {
        "equity": str(context.equity),
        "net position": str(context.net_position),
        "gross exposure": str(context.gross_exposure),
        "open orders": str(len(context.open_orders)),
        "trading state": context.trading_state.value,
    }
