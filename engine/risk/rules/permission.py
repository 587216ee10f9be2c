"""Whether this symbol may be traded this way: asset, lists, short sales, day trades, our own other orders."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.market import is_crypto
from engine.domain.orders import Order, OrderRequest, OrderStatus, Side
from engine.domain.portfolio import ZERO
from engine.risk.case import Case
from engine.risk.rules.base import Refusal
from engine.risk.rules.form import is_fractional

DAY_TRADING_EQUITY = Decimal(25_000)
DAY_TRADES = 3
"""Within five days; with less equity one more is refused where the venue still counts them."""


def asset_known(case: Case) -> Refusal | None:
    if case.context.asset is not None:
        return None
    return Refusal(
        f"What may be done with {case.request.symbol} is not known.",
        "The venue is being asked; try again in a moment, and check the symbol.",
    )


def asset_tradable(case: Case) -> Refusal | None:
    if case.context.asset is not None and case.context.asset.tradable:
        return None
    return Refusal(f"The venue does not trade {case.request.symbol} now.", "Choose another symbol.")


def restricted(case: Case) -> Refusal | None:
    if case.request.symbol not in case.limits.restricted:
        return None
    return Refusal(f"{case.request.symbol} is on the restricted list.", "See [risk] restricted in the configuration.")


def allowed(case: Case) -> Refusal | None:
    """The list of what may be traded with real money."""
    if not case.context.live or not case.limits.allowed or case.request.symbol in case.limits.allowed:
        return None
    return Refusal(
        f"{case.request.symbol} is not on the list of what may be traded with real money.",
        "See [risk] allowed in the configuration.",
    )


def short_sale(case: Case) -> Refusal | None:
    if not case.opens_short:
        return None
    context, symbol, asset = case.context, case.request.symbol, case.context.asset
    left = f"{max(case.sellable, ZERO)} can be sold"
    if is_crypto(symbol):
        return Refusal(f"{left}; coins cannot be sold short.", "Sell less.")
    if not case.limits.short_sales:
        return Refusal(f"{left}; short sales are switched off.", "See [risk] short_sales in the configuration.")
    if context.account is None or not context.account.shorting_enabled:
        return Refusal(f"{left}; this account may not sell short.", "Sell less.")
    if asset is None or not asset.shortable:
        return Refusal(f"{left}; {symbol} cannot be sold short.", "Sell less.")
    if not asset.easy_to_borrow and not case.limits.hard_to_borrow:
        return Refusal(f"{left}; {symbol} is hard to borrow.", "Sell less, or see [risk] hard_to_borrow.")
    if is_fractional(case.request.quantity):
        return Refusal(f"{left}; fractions cannot be sold short.", "Round the quantity.")
    return None


def still_held(case: Case) -> Refusal | None:
    """A sleeve that closes what was closed elsewhere would open the opposite."""
    request, held, elsewhere = case.request, case.context.sleeve_position, case.context.external_position
    if not request.reduces or held * elsewhere >= 0:
        return None
    left = max(abs(held) - abs(elsewhere), ZERO)
    if request.quantity <= left:
        return None
    return Refusal(
        f"Of {request.sleeve}'s {abs(held)} {request.symbol} only {left} are still at the venue; the rest was traded"
        " elsewhere.",
        "Positions, menu of the sleeve's row: give what was traded elsewhere to this sleeve.",
    )


def pattern_day_trade(case: Case) -> Refusal | None:
    """Only where the venue still counts day trades: what is opened now could not be closed today."""
    account = case.context.account
    if account is None or account.equity >= DAY_TRADING_EQUITY or is_crypto(case.request.symbol):
        return None
    if account.pattern_day_trader:
        return Refusal(
            f"The account is marked as a pattern day trader and has less than ${DAY_TRADING_EQUITY:,}.",
            "Only orders that close pass; add money, or ask the venue to lift the mark.",
        )
    if account.day_trades is not None and account.day_trades >= DAY_TRADES:
        return Refusal(
            f"{account.day_trades} day trades in five days; one more with less than ${DAY_TRADING_EQUITY:,} would be"
            " refused, so what is opened now could not be closed today.",
            "Wait until one is five days old.",
        )
    return None


def self_cross(case: Case) -> Refusal | None:
    """Alpaca calls it a wash trade: an order that could trade with one of ours that is in the market."""
    replaces = case.context.replaces
    entry = replaces.leg_of if replaces is not None else ""
    for order in case.context.working:
        # An exit stands in the market only when its entry no longer does, whatever we have heard of that.
        if order.side is case.request.side or order.status is OrderStatus.HELD or order.client_order_id == entry:
            continue
        if _could_meet(case.request, order):
            return Refusal(f"It could trade with our own order {order.client_order_id}.", "Cancel that one first.")
    return None


def _could_meet(request: OrderRequest, order: Order) -> bool:
    if order.limit_price is None or request.limit_price is None:
        return True
    if request.side is Side.BUY:
        return request.limit_price >= order.limit_price
    return request.limit_price <= order.limit_price
