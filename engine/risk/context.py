"""What the rules look at: one consistent picture of account, market and our own recent doings, taken for one order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.domain.events import TradingState
from engine.domain.orders import Order, OrderRequest, OrderType, Side
from engine.domain.portfolio import Account
from engine.risk.limits import Limits

MARKET_ORDER_MARGIN = Decimal("1.03")
"""A market order is valued at the ask and 3 %, as Alpaca does."""


class PriceView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest quote. Prices in dollars, 0 = absent; `age` in seconds by our own clock."""

    bid: float
    ask: float
    last: float
    age: float


class Context(msgspec.Struct, frozen=True, kw_only=True):
    limits: Limits
    trading_state: TradingState
    ready: bool
    """False until our picture of the venue is known to be right."""
    account: Account | None
    market_open: bool | None
    price: PriceView | None
    net_position: Decimal
    """Signed, over all sleeves."""
    sleeve_position: Decimal
    external_position: Decimal
    """What the venue holds beyond our fills, signed; negative when somebody sold elsewhere what a sleeve bought."""
    gross_exposure: Decimal
    """Dollars: positions and open orders."""
    open_orders: Sequence[Order]
    recent_orders: Sequence[Order]
    """Those of the last day that left or may have left the house, oldest first."""
    paused_until: float
    """Monotonic seconds until which this sleeve is paused in this symbol, 0 = it is not."""
    now: int
    monotonic: float
    emergency: bool = False

    @property
    def equity(self) -> Decimal:
        return self.account.equity if self.account is not None else Decimal(0)

    def reference(self, side: Side) -> Decimal | None:
        """What the order would trade at: the far side of the quote, or the last price."""
        view = self.price
        if view is None:
            return None
        near = view.ask if side is Side.BUY else view.bid
        value = near if near > 0 else view.last
        # NaN compares false, so it is refused with zero and negative ones.
        return Decimal(repr(value)) if value > 0 and value != float("inf") else None

    def order_price(self, request: OrderRequest) -> Decimal | None:
        if request.type is OrderType.LIMIT:
            return request.limit_price
        reference = self.reference(request.side)
        if reference is None:
            return None
        return reference * MARKET_ORDER_MARGIN if request.side is Side.BUY else reference

    def pending(self, symbol: str, side: Side, sleeve: str | None = None) -> Decimal:
        """Quantity in open orders on one side of a symbol."""
        return sum(
            (
                order.remaining
                for order in self.open_orders
                if order.symbol == symbol and order.side is side and (sleeve is None or order.sleeve == sleeve)
            ),
            Decimal(0),
        )

    def reduces(self, request: OrderRequest) -> bool:
        """Whether the order, with those already working, can only shrink what its sleeve and the account hold."""
        for held, sleeve in ((self.net_position, None), (self.sleeve_position, request.sleeve)):
            if held * request.side.sign >= 0:
                return False
            if request.quantity + self.pending(request.symbol, request.side, sleeve) > abs(held):
                return False
        return True
