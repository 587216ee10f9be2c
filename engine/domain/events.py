"""The facts that travel on the bus. An event is immutable and names the event that caused it.

`event_id` is a ULID, `timestamp` int nanoseconds UTC. Following `cause_id` upwards leads from a fill to the tick that
started it.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from engine.domain.market import Bar, Quote
from engine.domain.orders import Fill, Order
from engine.domain.portfolio import Account


class Priority(IntEnum):
    """What is handled first when more waits than one slice of time can hold."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class TradingState(StrEnum):
    """ACTIVE: all orders. REDUCING: only orders that shrink exposure. HALTED: only cancels. Survives restarts."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str
    timestamp: int
    cause_id: str = ""


class QuoteEvent(Event, frozen=True, kw_only=True):
    """The last quote of a symbol; the one before it is of no use any more."""

    quote: Quote


class BarEvent(Event, frozen=True, kw_only=True):
    """A bar that closed, or grew."""

    bar: Bar


class SignalEvent(Event, frozen=True, kw_only=True):
    """A bot's wish: hold `weight` (in [-1, 1]) of the sleeve's capital share in `symbol`, until `expires`."""

    sleeve: str
    strategy: str
    symbol: str
    weight: float
    confidence: float
    price: float
    as_of: int
    expires: int
    reason: str = ""


class OrderEvent(Event, frozen=True, kw_only=True):
    """An order changed state; `order` is a copy taken at that moment."""

    order: Order


class ExecutionEvent(Event, frozen=True, kw_only=True):
    fill: Fill


class PortfolioEvent(Event, frozen=True, kw_only=True):
    account: Account


class RiskEvent(Event, frozen=True, kw_only=True):
    """A risk verdict that stopped something, or a limit that changed the trading state."""

    rule: str
    message: str
    severity: Severity = Severity.WARNING
    values: dict[str, Any] = {}
    client_order_id: str = ""
    symbol: str = ""
    sleeve: str = ""


class SystemEvent(Event, frozen=True, kw_only=True):
    """A part of the system changed state or has something to report."""

    component: str
    state: str
    message: str = ""
    severity: Severity = Severity.INFO
    remedy: str = ""
    detail: str = ""


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        QuoteEvent, BarEvent, SignalEvent, OrderEvent, ExecutionEvent, PortfolioEvent, RiskEvent, SystemEvent,
    )
}  # fmt: skip
"""By the name under which an event is stored."""
