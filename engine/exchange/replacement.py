"""What a request to replace an order amounts to: a new order request, made of the old one and what changes."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.exchange.assets import Catalogue
from engine.exchange.records import CANNOT_REPLACE, OrderRecord
from engine.exchange.refusals import invalid, not_found, unprocessable
from engine.exchange.ticket import Ticket, check_prices

_KEPT = ("time_in_force", "limit_price", "stop_price", "trail_price", "trail_percent", "side", "type", "extended_hours")


def replacement(old: OrderRecord, changed: dict[str, object], catalogue: Catalogue) -> Ticket:
    """`changed` holds Ticket fields; its `quantity` is the total, what has been filled included. Raises Refusal."""
    if not old.is_open or old.status in CANNOT_REPLACE:
        raise unprocessable(f"cannot replace order in {old.status.value} status")
    if old.notional is not None and "quantity" in changed:
        raise unprocessable("notional orders cannot be replaced by quantity")
    if not changed:
        raise invalid("at least one of qty, time_in_force, limit_price, stop_price, trail is required")
    asset = catalogue.find(old.symbol)
    if asset is None:
        raise not_found(f"asset not found for {old.symbol}")
    fields: dict[str, object] = {name: getattr(old, name) for name in _KEPT} | changed
    remaining = Decimal(str(changed.get("quantity", old.quantity))) - old.filled_quantity
    if remaining <= 0:
        raise unprocessable("qty must be greater than the filled quantity")
    ticket = msgspec.convert({**fields, "asset": asset, "quantity": remaining}, Ticket)
    check_prices(ticket)
    return ticket
