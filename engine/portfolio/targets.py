"""From a wish to orders: a bot's signal to what moves its sleeve there, a close to what makes the account flat."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec

from engine.domain.market import is_crypto
from engine.domain.orders import OrderRequest, Side, TimeInForce
from engine.domain.portfolio import ZERO, Position

WHOLE = Decimal(1)
COIN = Decimal("0.000001")


class SleevePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sleeve may do. `capital` in dollars; a change below `minimum_notional` dollars is not worth an order."""

    name: str
    capital: Decimal
    allow_short: bool = False
    minimum_notional: Decimal = Decimal(50)


def order_for(
    plan: SleevePlan, symbol: str, weight: float, price: Decimal, held: Decimal, cause_id: str
) -> OrderRequest | None:
    """None when the sleeve holds what it should. `price` in dollars, `held` signed.

    Stocks in whole shares, rounded towards zero; coins in millionths. An order that would go through zero stops at
    zero: closing and opening are two orders, because a venue that holds shares cannot sell them short in one.
    """
    if weight < 0 and not plan.allow_short:
        weight = 0.0
    step = COIN if is_crypto(symbol) else WHOLE
    wanted = (plan.capital * Decimal(repr(weight)) / price).quantize(step, ROUND_DOWN)
    if held * wanted < 0:
        wanted = ZERO
    change = wanted - held
    closes = wanted == 0
    if change == 0 or (abs(change) * price < plan.minimum_notional and not closes):
        return None
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY if change > 0 else Side.SELL,
        quantity=abs(change),
        time_in_force=_lifetime(symbol),
        sleeve=plan.name,
        cause_id=cause_id,
        reduces=held != 0 and (change > 0) != (held > 0),
    )


def closing_orders(held: Sequence[Position]) -> list[OrderRequest]:
    """Market orders that bring one symbol to zero at the venue, the largest sleeve first; none when it is flat there.

    Sleeves that stand against the others are left: the venue knows only the sum, and an order through zero would be a
    short sale there.
    """
    net = sum((position.quantity for position in held), ZERO)
    side = Side.SELL if net > 0 else Side.BUY
    left = abs(net)
    requests = []
    for position in sorted(held, key=lambda position: -abs(position.quantity)):
        quantity = min(abs(position.quantity), left)
        if quantity and position.quantity * net > 0:
            left -= quantity
            requests.append(
                OrderRequest(
                    symbol=position.symbol,
                    side=side,
                    quantity=quantity,
                    time_in_force=_lifetime(position.symbol),
                    sleeve=position.sleeve,
                    reduces=True,
                )
            )
    return requests


def _lifetime(symbol: str) -> TimeInForce:
    return TimeInForce.GTC if is_crypto(symbol) else TimeInForce.DAY
