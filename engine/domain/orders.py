"""Orders, their states and their fills. Quantities and prices are Decimal; times are int nanoseconds UTC."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    OPG = "opg"
    CLS = "cls"
    IOC = "ioc"
    FOK = "fok"


class OrderStatus(StrEnum):
    """Where an order stands, ours first and then the venue's words.

    INTENT: journalled, not yet sent. SENT: on the wire, no answer yet. UNRESOLVED: the outcome could not be learnt;
    its exposure stays reserved. BLOCKED: a risk check refused it; it never left the house.
    """

    INTENT = "intent"
    BLOCKED = "blocked"
    SENT = "sent"
    UNRESOLVED = "unresolved"
    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    DONE_FOR_DAY = "done_for_day"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    PENDING_REPLACE = "pending_replace"
    REPLACED = "replaced"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    HELD = "held"
    STOPPED = "stopped"
    CALCULATED = "calculated"

    @property
    def is_final(self) -> bool:
        """No further fill can come of an order in this state."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.BLOCKED,
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
        OrderStatus.REJECTED,
    }
)

MANUAL_SLEEVE = "manual"
"""The sleeve that holds what a person trades by hand."""


class OrderClass(StrEnum):
    """What an order brings along. BRACKET: an entry with both exits. OTO: an entry with one. OCO: two exits, no entry,
    of which the take-profit is the parent and the stop-loss its leg.
    """

    SIMPLE = ""
    BRACKET = "bracket"
    OTO = "oto"
    OCO = "oco"


class Role(StrEnum):
    """What an order is for within its group."""

    NONE = ""
    TAKE_PROFIT = "take profit"
    STOP_LOSS = "stop loss"


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done, before any id or check: from the ticket, or from a bot's target."""

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    sleeve: str = MANUAL_SLEEVE
    cause_id: str = ""
    reduces: bool = False
    """True when the order can only shrink an existing position (close, flatten)."""
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    """Dollars by which a trailing stop follows the market."""
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    """Also before the open and after the close; limit orders only."""
    take_profit: Decimal | None = None
    """Limit price of a bracket's first exit."""
    stop_loss: Decimal | None = None
    """Stop price of a bracket's second exit."""
    one_cancels_other: bool = False
    """No entry: `limit_price` takes the profit of what is held, `stop_loss` ends its loss, and one cancels the other."""
    parent_id: str = ""
    """What several orders are slices of, such as one TWAP; empty for an order of its own."""
    parent_quantity: Decimal | None = None
    """All slices of the parent together may trade this much."""
    expires_at: int = 0
    """After this time, int nanoseconds UTC, it is not placed any more; 0 = never. For bots' signals."""


class OrderChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants different in a working order; None leaves it as it is."""

    quantity: Decimal | None = None
    """Units in all, what has been filled included."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    """Distance of a trailing stop, in dollars or in percent as the order has it."""


class Order(msgspec.Struct, kw_only=True):
    """An order as the engine knows it. Mutable: one object per order, changed only by the order manager."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    time_in_force: TimeInForce
    sleeve: str
    created_at: int
    status: OrderStatus = OrderStatus.INTENT
    limit_price: Decimal | None = None
    venue_order_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_fill_price: Decimal | None = None
    updated_at: int = 0
    message: str = ""
    cause_id: str = ""
    cancel_wanted: bool = False
    """Somebody has asked for its cancel, perhaps before the venue had it; it survives a crash."""
    foreign: bool = False
    """True when the order was found at the venue and did not come from this installation."""
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    parent_id: str = ""
    order_class: OrderClass = OrderClass.SIMPLE
    role: Role = Role.NONE
    leg_of: str = ""
    """client_order_id of the order that brought this one along as its exit; empty for an order of its own."""
    replaces: str = ""
    """client_order_id of the order whose place this one takes, or was to take."""
    told_at: int = 0
    """Venue time of the newest word on it that was believed; int nanoseconds, 0 = none."""
    adopted_at: int = 0
    """Venue time from which on the fills of a foreign order that was adopted are its sleeve's; 0 = all are."""

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled_quantity

    @property
    def is_open(self) -> bool:
        return not self.status.is_final


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `execution_id` is the venue's and makes a repeated report harmless."""

    execution_id: str
    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    timestamp: int
    sleeve: str = MANUAL_SLEEVE
    fee: Decimal = Decimal(0)
