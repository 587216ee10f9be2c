"""The rules, one small function each: None when the order may pass, else why it may not and what to do.

A rule that lacks what it needs refuses: fail closed. Rules for reductions are few, because whoever wants less risk must
get it; see `gate`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.domain.events import TradingState
from engine.domain.market import NANOSECONDS, is_crypto
from engine.domain.orders import Order, OrderRequest, OrderType, Side
from engine.risk.context import Context

DAY = 86_400 * NANOSECONDS
MOST_DECIMALS = 9
CLOCK_STEP = 1.0
"""Seconds by which a clock may be corrected without anybody minding."""


class Refusal(msgspec.Struct, frozen=True):
    message: str
    remedy: str = ""


Rule = Callable[[OrderRequest, Context], Refusal | None]


def well_formed(request: OrderRequest, context: Context) -> Refusal | None:
    quantity, price = request.quantity, request.limit_price
    if not quantity.is_finite() or quantity <= 0:
        return Refusal("The quantity must be a number above zero.")
    if _decimals(quantity) > MOST_DECIMALS:
        return Refusal(f"A quantity has at most {MOST_DECIMALS} decimals.")
    if request.type is OrderType.LIMIT and (price is None or not price.is_finite() or price <= 0):
        return Refusal("A limit order needs a price above zero.")
    if price is not None and not is_crypto(request.symbol):
        allowed = 2 if price >= 1 else 4
        if _decimals(price) > allowed:
            return Refusal(f"Prices at this level have at most {allowed} decimals.", "Round the price to a tick.")
    return None


def trading_state(request: OrderRequest, context: Context) -> Refusal | None:
    if context.emergency or context.trading_state is TradingState.ACTIVE:
        return None
    if context.trading_state is TradingState.HALTED:
        return Refusal("Trading is halted: only cancels pass.", "Resume trading when the reason is gone.")
    if context.reduces(request):
        return None
    return Refusal("Trading is reducing: only orders that shrink a position pass.", "Resume trading first.")


def reconciled(request: OrderRequest, context: Context) -> Refusal | None:
    if context.ready:
        return None
    return Refusal("The venue's orders and positions are being read.", "Try again in a moment.")


def account_usable(request: OrderRequest, context: Context) -> Refusal | None:
    if context.account is None:
        return Refusal("The account is not known yet.", "Wait for the broker to answer.")
    if context.account.trading_blocked:
        return Refusal("The venue has blocked trading in this account.", "Ask the venue why.")
    return None


def market_open(request: OrderRequest, context: Context) -> Refusal | None:
    if is_crypto(request.symbol) or context.market_open:
        return None
    if context.market_open is None:
        return Refusal("Whether the market is open is not known yet.", "Wait for the broker to answer.")
    return Refusal("The market is closed.", "Orders pass when it opens.")


def fresh_quote(request: OrderRequest, context: Context) -> Refusal | None:
    if context.price is None or context.reference(request.side) is None:
        return Refusal(f"There is no price for {request.symbol}.", "Add it to the watch list and wait for a quote.")
    limit = context.limits.max_quote_age_s
    if context.price.age < -CLOCK_STEP:
        return Refusal(
            f"The quote of {request.symbol} is from the future.", "The clock was set back; wait for a quote."
        )
    if not context.price.age <= limit:
        return Refusal(
            f"The quote of {request.symbol} is {context.price.age:.1f} s old; {limit:g} s is the limit.",
            "Look at the feed under Processes.",
        )
    return None


def price_collar(request: OrderRequest, context: Context) -> Refusal | None:
    reference = context.reference(request.side)
    if request.limit_price is None or reference is None:
        return None
    distance = (request.limit_price - reference) / reference
    wrong_way = distance if request.side is Side.BUY else -distance
    if wrong_way > Decimal(repr(context.limits.price_collar)):
        return Refusal(
            f"{request.limit_price} is {float(wrong_way):.1%} through the market at {reference};"
            f" {context.limits.price_collar:.0%} is the limit.",
            "Check the price for a typing mistake.",
        )
    return None


def order_quantity(request: OrderRequest, context: Context) -> Refusal | None:
    limit = context.limits.max_order_quantity
    if request.quantity > limit:
        return Refusal(
            f"{request.quantity} is more than {limit}, the most in one order.", "Split it, or raise the limit."
        )
    return None


def order_notional(request: OrderRequest, context: Context) -> Refusal | None:
    notional = _notional(request, context)
    limit = min(context.limits.max_order_notional, _share(context, context.limits.max_order_share))
    if notional is None or notional > limit:
        worth = "unknown" if notional is None else f"${notional:,.2f}"
        return Refusal(f"The order is worth {worth}; ${limit:,.2f} is the most in one order.", "Trade less at a time.")
    return None


def position_size(request: OrderRequest, context: Context) -> Refusal | None:
    price = context.order_price(request)
    if price is None:
        return Refusal(f"There is no price for {request.symbol}.")
    after = context.net_position + request.side.sign * (
        request.quantity + context.pending(request.symbol, request.side)
    )
    limit = _share(context, context.limits.max_position_share)
    if abs(after) * price > limit:
        return Refusal(
            f"With it, {request.symbol} would be worth ${abs(after) * price:,.0f}, orders included; "
            f"${limit:,.0f} is the most in one symbol.",
            "Close or cancel some first.",
        )
    return None


def gross_exposure(request: OrderRequest, context: Context) -> Refusal | None:
    notional = _notional(request, context)
    limit = _share(context, context.limits.max_gross_exposure)
    if notional is None or context.gross_exposure + notional > limit:
        return Refusal(
            f"With it, ${context.gross_exposure + (notional or 0):,.0f} would be at risk, orders included; "
            f"${limit:,.0f} is the limit.",
            "Close or cancel some first.",
        )
    return None


def buying_power(request: OrderRequest, context: Context) -> Refusal | None:
    notional = _notional(request, context)
    available = context.account.buying_power if context.account is not None else Decimal(0)
    if notional is None or notional > available:
        return Refusal(f"Buying power is ${available:,.2f}.", "Trade less, or close something.")
    return None


def no_short(request: OrderRequest, context: Context) -> Refusal | None:
    shortable = context.account is not None and context.account.shorting_enabled and not is_crypto(request.symbol)
    if request.side is Side.BUY or shortable:
        return None
    available = context.net_position - context.pending(request.symbol, Side.SELL)
    if request.quantity > available:
        return Refusal(f"{available} can be sold; {request.symbol} cannot be sold short here.", "Sell less.")
    return None


def still_held(request: OrderRequest, context: Context) -> Refusal | None:
    """A sleeve that closes what was closed elsewhere would open the opposite."""
    held, elsewhere = context.sleeve_position, context.external_position
    if not request.reduces or held * elsewhere >= 0:
        return None
    left = max(abs(held) - abs(elsewhere), Decimal(0))
    if request.quantity <= left:
        return None
    return Refusal(
        f"Of {request.sleeve}'s {abs(held)} {request.symbol} only {left} are still at the venue; the rest was traded"
        " elsewhere.",
        "Trade it by hand, or give the bot a new name.",
    )


def self_cross(request: OrderRequest, context: Context) -> Refusal | None:
    """Alpaca calls it a wash trade: an order that could trade with one of ours."""
    for order in context.open_orders:
        if order.symbol != request.symbol or order.side is request.side:
            continue
        if order.limit_price is None or request.limit_price is None:
            crosses = True
        elif request.side is Side.BUY:
            crosses = request.limit_price >= order.limit_price
        else:
            crosses = request.limit_price <= order.limit_price
        if crosses:
            return Refusal(f"It could trade with our own order {order.client_order_id}.", "Cancel that one first.")
    return None


def duplicate(request: OrderRequest, context: Context) -> Refusal | None:
    since = context.now - round(context.limits.duplicate_window_s * NANOSECONDS)
    for order in reversed(context.recent_orders):
        if order.created_at < since:
            return None
        if _same(order, request):
            return Refusal(
                f"The same order was placed {(context.now - order.created_at) / NANOSECONDS:.1f} s ago.",
                f"If it is meant twice, wait {context.limits.duplicate_window_s:g} s or change the quantity.",
            )
    return None


def repeated_execution(request: OrderRequest, context: Context) -> Refusal | None:
    left = context.paused_until - context.monotonic
    if left <= 0:
        return None
    return Refusal(
        f"{request.sleeve} traded {request.symbol} too often one way and is paused for {left:.0f} s.",
        "Look at the bot; it goes on by itself.",
    )


def order_rate(request: OrderRequest, context: Context) -> Refusal | None:
    limits = context.limits
    windows = (
        (NANOSECONDS, limits.orders_per_second, "second"),
        (60 * NANOSECONDS, limits.orders_per_minute, "minute"),
        (DAY, limits.orders_per_day, "day"),
    )
    for length, limit, name in windows:
        if sum(order.created_at > context.now - length for order in context.recent_orders) >= limit:
            return Refusal(f"{limit} orders a {name} is the limit.", "Wait, or raise the limit.")
    sleeve = sum(order.sleeve == request.sleeve for order in context.recent_orders)
    if sleeve >= limits.orders_per_day_and_sleeve:
        return Refusal(f"{request.sleeve} has had its {sleeve} orders of the day.", "Raise the limit, or wait.")
    return None


def open_orders(request: OrderRequest, context: Context) -> Refusal | None:
    if len(context.open_orders) >= context.limits.max_open_orders:
        return Refusal(f"{len(context.open_orders)} orders are open, the most there may be.", "Cancel some.")
    same = sum(order.symbol == request.symbol for order in context.open_orders)
    if same >= context.limits.max_open_orders_per_symbol:
        return Refusal(f"{same} orders are open in {request.symbol}, the most there may be.", "Cancel some.")
    return None


def _same(order: Order, request: OrderRequest) -> bool:
    ours = (order.symbol, order.side, order.quantity, order.limit_price, order.sleeve)
    return ours == (request.symbol, request.side, request.quantity, request.limit_price, request.sleeve)


def _notional(request: OrderRequest, context: Context) -> Decimal | None:
    price = context.order_price(request)
    return None if price is None else price * request.quantity


def _share(context: Context, share: float) -> Decimal:
    return context.equity * Decimal(repr(share))


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0
