"""What the rules look at: one consistent picture of account, market and our own recent doings, taken for one order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from engine.broker.base import Asset
from engine.domain.events import TradingState
from engine.domain.orders import Order
from engine.domain.portfolio import ZERO, Account
from engine.risk.limits import Limits
from engine.risk.recent import RecentOrders


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
    extended_open: bool | None = None
    """Whether the venue trades before the open or after the close just now; None = not known."""
    asset: Asset | None
    """What the venue says may be done with the symbol; None = not known."""
    price: PriceView | None
    net_position: Decimal
    """Signed, over all sleeves."""
    sleeve_position: Decimal
    external_position: Decimal
    """What the venue holds beyond our fills, signed; negative when somebody sold elsewhere what a sleeve bought."""
    gross_exposure: Decimal
    """Dollars: positions and open orders."""
    working: Sequence[Order]
    """Our open orders in the symbol, without the one whose place the request is to take and its group."""
    replaces: Order | None = None
    """The working order whose place the request is to take."""
    released: Decimal = ZERO
    """Dollars of buying power that the order which is replaced gives back."""
    open_count: int
    """Open orders in all symbols."""
    recent: RecentOrders
    sliced: Decimal = ZERO
    """What the slices of the request's parent that were placed before may trade in all."""
    paused_until: float
    """Monotonic seconds until which this sleeve is paused in this symbol, 0 = it is not."""
    rate_used: float
    """Share of the venue's request limit in use, 0 to 1."""
    now: int
    monotonic: float
    live: bool = False
    """Real money."""
    mismatch: str = ""
    """Why address and keys do not belong to the environment; empty when they do."""
    emergency: bool = False

    @property
    def equity(self) -> Decimal:
        return self.account.equity if self.account is not None else ZERO
