"""One order before the gate: what is asked, the picture it is held against, and every number the rules need, once."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.domain.orders import OrderRequest, Side
from engine.domain.portfolio import ZERO
from engine.risk.context import Context
from engine.risk.groups import units_of, value_of
from engine.risk.limits import Limits
from engine.risk.valuation import as_price, exposure, order_price, reference


class Case(msgspec.Struct, frozen=True, kw_only=True):
    request: OrderRequest
    context: Context
    limits: Limits
    reference: Decimal | None
    """What it would trade at now."""
    price: Decimal | None
    """What it is valued at."""
    notional: Decimal | None
    buys: Decimal
    sells: Decimal
    """Units in open orders of the symbol, this one not among them."""
    reduces: bool
    """With the orders already working it can only shrink what its sleeve and the account hold."""
    sellable: Decimal
    """Units that can be sold without a short sale."""
    position_after: Decimal
    """The most units, unsigned, that the account can come to hold in the symbol."""
    added_exposure: Decimal | None
    """Dollars by which this order raises the most that the symbol can come to."""

    @property
    def opens_short(self) -> bool:
        return self.request.side is Side.SELL and self.request.quantity > self.sellable

    @property
    def exposure_after(self) -> Decimal | None:
        return None if self.added_exposure is None else self.context.gross_exposure + self.added_exposure


def examine(request: OrderRequest, context: Context) -> Case:
    """`request` must be well formed."""
    working = context.working
    buys = units_of(working, Side.BUY)
    sells = units_of(working, Side.SELL)
    held, buying = context.net_position, request.side is Side.BUY
    sellable = held - sells
    price = order_price(request, context.price, not buying and request.quantity > sellable)
    notional = None if price is None else price * request.quantity
    more_buys, more_sells = (request.quantity, ZERO) if buying else (ZERO, request.quantity)
    return Case(
        request=request,
        context=context,
        limits=context.limits,
        reference=reference(context.price, request.side),
        price=price,
        notional=notional,
        buys=buys,
        sells=sells,
        reduces=_reduces(request, context, buys if buying else sells),
        sellable=sellable,
        position_after=exposure(held, buys + more_buys, sells + more_sells),
        added_exposure=None if price is None or notional is None else _added(request, context, notional, price),
    )


def _reduces(request: OrderRequest, context: Context, pending: Decimal) -> bool:
    sign = request.side.sign
    if context.net_position * sign >= 0 or context.sleeve_position * sign >= 0:
        return False
    own = units_of([order for order in context.working if order.sleeve == request.sleeve], request.side)
    return (
        request.quantity + pending <= abs(context.net_position)
        and request.quantity + own <= abs(context.sleeve_position)
    )  # fmt: skip


def _added(request: OrderRequest, context: Context, notional: Decimal, price: Decimal) -> Decimal:
    mark = (as_price(context.price.last) if context.price is not None else None) or price
    held = context.net_position * mark
    values = {side: value_of(context.working, side, mark) for side in Side}
    before = exposure(held, values[Side.BUY], values[Side.SELL])
    values[request.side] += notional
    return exposure(held, values[Side.BUY], values[Side.SELL]) - before
