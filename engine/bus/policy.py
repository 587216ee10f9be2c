"""What becomes of an event when its queue is full: a policy for each kind of event."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from engine.domain.events import BarEvent, Event, PortfolioEvent, QuoteEvent


class Overflow(StrEnum):
    """KEEP: never dropped, whatever the load. CONFLATE: the newest takes the place of the one that waits.

    SHED: what comes to a full queue is dropped and counted. BLOCK: a publisher that can wait (a coroutine, another
    thread) waits for room; from one that cannot it is shed.
    """

    KEEP = "keep"
    CONFLATE = "conflate"
    SHED = "shed"
    BLOCK = "block"


class Policy(msgspec.Struct, frozen=True):
    """`key` tells which events of the kind take each other's place; only for CONFLATE."""

    overflow: Overflow = Overflow.KEEP
    key: Callable[[Any], Hashable] | None = None

    def __post_init__(self) -> None:
        if (self.overflow is Overflow.CONFLATE) != (self.key is not None):
            raise ValueError("a key belongs to CONFLATE, and CONFLATE needs one")


KEEP = Policy()

DEFAULTS: Mapping[type[Event], Policy] = MappingProxyType(
    {
        QuoteEvent: Policy(Overflow.CONFLATE, lambda event: event.quote.symbol),
        BarEvent: Policy(Overflow.BLOCK),
        PortfolioEvent: Policy(Overflow.CONFLATE, lambda event: event.account.account_number),
    }
)
"""Every other kind is kept: a bus that loses an order, an execution or a risk verdict is worse than a slow one."""
