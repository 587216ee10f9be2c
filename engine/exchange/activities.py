"""What happens to an account, as its history tells it: fills, and entries such as fees, dividends and splits."""

from __future__ import annotations

import uuid
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

import msgspec

from engine.domain.market import NANOSECONDS
from engine.domain.orders import Side
from engine.exchange.orders import ZERO
from engine.exchange.sessions import new_york

FILL = "FILL"
ACTIVITY_LIMIT = 10_000
"""Activities of one account that are kept in memory; older ones are read from the archive."""
BATCH = 1_000
"""How many leave memory at once."""
_NAMESPACE = uuid.UUID("0a5b8c8a-3a7c-4c0e-9a55-5d0d1f6a9c41")


class Execution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fill. `number` counts the activities of the exchange."""

    kind: ClassVar[str] = FILL
    activity_id: str
    execution_id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO
    cumulative: Decimal
    leaves: Decimal
    timestamp: int
    number: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A booking that is not a fill. `quantity` and `amount` are what the position and the cash changed by, signed."""

    activity_id: str
    kind: str
    timestamp: int
    symbol: str = ""
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    amount: Decimal = ZERO
    per_share: Decimal = ZERO
    description: str = ""
    order_id: str = ""
    number: int = 0


Activity = Execution | Entry


def activity_id(timestamp: int, unique: str) -> str:
    """Alpaca's form: New York's time to the millisecond, then something unique."""
    seconds, rest = divmod(timestamp, NANOSECONDS)
    return f"{_second(seconds)}{rest // 1_000_000:03d}::{unique}"


def derived_id(kind: str, of: str) -> str:
    """A UUID for what follows from something that has an id, the same every time."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}/{of}"))


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return new_york(seconds * NANOSECONDS).strftime("%Y%m%d%H%M%S")
