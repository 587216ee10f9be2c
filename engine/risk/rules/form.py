"""Whether the order is one that could be meant, and that the venue takes: numbers, terms, ticks, steps, exits, age."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from engine.domain.market import is_crypto
from engine.domain.orders import OrderRequest, OrderType, TimeInForce
from engine.risk.case import Case
from engine.risk.rules.base import Refusal

MOST_DECIMALS = 9
LARGEST = Decimal(10) ** 12
"""Units or dollars; what is larger is a mistake, and exact arithmetic ends somewhere."""
_FINEST = Decimal(1).scaleb(-MOST_DECIMALS)
_CENT, _SUBCENT, _ONE = Decimal("0.01"), Decimal("0.0001"), Decimal(1)
_NEEDS_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_NEEDS_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
_CRYPTO_LIVES = frozenset({TimeInForce.GTC, TimeInForce.IOC})
_LASTING = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def well_formed(request: OrderRequest) -> Refusal | None:
    """Every number is one, and those are there that the type of order needs. The other rules calculate with them."""
    quantity = request.quantity
    if not quantity.is_finite() or quantity <= 0:
        return Refusal("The quantity must be a number above zero.")
    if quantity > LARGEST or quantity % _FINEST:
        return Refusal(f"A quantity is at most {LARGEST:,} and has at most {MOST_DECIMALS} decimals.")
    for name, value in _numbers(request):
        if not value.is_finite() or not 0 < value <= LARGEST:
            return Refusal(f"The {name} must be a number above zero, and below {LARGEST:,}.")
    if (request.limit_price is not None) is not (request.type in _NEEDS_LIMIT):
        return Refusal(_price_missing_or_odd(request, "limit", request.limit_price is None))
    if (request.stop_price is not None) is not (request.type in _NEEDS_STOP):
        return Refusal(_price_missing_or_odd(request, "stop", request.stop_price is None))
    trails = (request.trail_price is not None) + (request.trail_percent is not None)
    if trails != (request.type is OrderType.TRAILING_STOP):
        return Refusal("A trailing stop needs a distance in dollars or in percent, and no other order has one.")
    return None


def order_terms(case: Case) -> Refusal | None:
    """Type, life and session must go together, by the venue's rules."""
    request = case.request
    if is_crypto(request.symbol):
        if request.type not in _CRYPTO_TYPES or request.time_in_force not in _CRYPTO_LIVES:
            return Refusal(
                "Crypto takes market, limit and stop-limit orders, good till cancelled or immediate.",
                "Choose another type or time in force.",
            )
    elif is_fractional(request.quantity) and request.time_in_force is not TimeInForce.DAY:
        return Refusal("Fractions of a share need a day order.", "Choose DAY, or whole shares.")
    if request.extended_hours and (
        request.type is not OrderType.LIMIT or request.time_in_force not in _LASTING or _has_exits(request)
    ):
        return Refusal("Outside regular hours only simple limit orders, DAY or GTC, are taken.", "Give it a limit.")
    return None


def tick_size(case: Case) -> Refusal | None:
    request, asset = case.request, case.context.asset
    step = asset.price_increment if asset is not None else None
    for name, value in _numbers(request):
        if name == "trailing percentage":
            continue
        if step is not None and value % step:
            return Refusal(f"The {name} {value} is not a multiple of {step}.", "Round the price to a tick.")
        if step is None and not is_crypto(request.symbol):
            tick = _CENT if value >= 1 else _SUBCENT
            if value % tick:
                return Refusal(
                    f"The {name} {value} is not a multiple of {tick}, the tick of prices at this level.",
                    "Round the price to a tick.",
                )
    return None


def quantity_step(case: Case) -> Refusal | None:
    request, asset = case.request, case.context.asset
    if asset is None:
        return None
    if not is_crypto(request.symbol):
        if asset.fractionable or not is_fractional(request.quantity):
            return None
        return Refusal(f"{request.symbol} is traded in whole shares only.", "Round the quantity.")
    step, least = asset.min_trade_increment, asset.min_order_size
    if step is not None and request.quantity % step:
        return Refusal(f"{request.symbol} is traded in steps of {step}.", "Round the quantity.")
    if least is not None and request.quantity < least and not case.reduces:
        return Refusal(f"{least} {request.symbol} is the least in one order.", "Trade more at a time.")
    return None


def exits(case: Case) -> Refusal | None:
    """A bracket's profit lies on one side of its entry and its loss on the other."""
    request = case.request
    if not _has_exits(request):
        return None
    if is_crypto(request.symbol) or is_fractional(request.quantity) or request.time_in_force not in _LASTING:
        return Refusal("A bracket needs whole shares of a stock, DAY or GTC.", "Place a simple order.")
    if request.one_cancels_other:
        return _both_sides(request)
    entry = request.limit_price or request.stop_price or case.reference
    if entry is None:
        return Refusal(f"There is no price for {request.symbol} to hold the bracket against.", "Wait for a quote.")
    sign = request.side.sign
    if request.take_profit is not None and (request.take_profit - entry) * sign <= 0:
        return Refusal(f"Profit would be taken at {request.take_profit}, a loss from {entry}.", "Swap the two exits?")
    if request.stop_loss is not None and (entry - request.stop_loss) * sign < Decimal("0.01"):
        return Refusal(f"The stop at {request.stop_loss} is not beyond the entry at {entry}.", "Move the stop.")
    return None


def _both_sides(request: OrderRequest) -> Refusal | None:
    """Two exits without an entry: one above the market, one below, which the price of the market need not say."""
    profit, stop = request.limit_price, request.stop_loss
    if profit is None or stop is None or request.take_profit is not None:
        return Refusal("Two exits need a limit that takes the profit and a stop that ends the loss.", "Fill in both.")
    if (profit - stop) * -request.side.sign < Decimal("0.01"):
        return Refusal(f"Profit would be taken at {profit}, a loss from {stop}.", "Swap the two exits?")
    return None


def expired(case: Case) -> Refusal | None:
    expires = case.request.expires_at
    if not expires or case.context.now <= expires:
        return None
    return Refusal("The signal behind it has expired.", "The bot's next signal counts.")


def is_fractional(quantity: Decimal) -> bool:
    return bool(quantity % _ONE)


def _numbers(request: OrderRequest) -> Iterator[tuple[str, Decimal]]:
    if request.limit_price is not None:
        yield "limit price", request.limit_price
    if request.stop_price is not None:
        yield "stop price", request.stop_price
    if request.trail_price is not None:
        yield "trailing distance", request.trail_price
    if request.trail_percent is not None:
        yield "trailing percentage", request.trail_percent
    if request.take_profit is not None:
        yield "take-profit price", request.take_profit
    if request.stop_loss is not None:
        yield "stop-loss price", request.stop_loss


def _has_exits(request: OrderRequest) -> bool:
    return request.take_profit is not None or request.stop_loss is not None


def _price_missing_or_odd(request: OrderRequest, name: str, missing: bool) -> str:
    kind = request.type.value.replace("_", "-")
    return f"A {kind} order needs a {name} price." if missing else f"A {kind} order has no {name} price."
