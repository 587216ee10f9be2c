"""From a request that passed its checks to the order that the venue keeps."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.exchange.desk import Desk
from engine.exchange.records import OrderRecord
from engine.exchange.ticket import Ticket


def open_record(
    desk: Desk, ticket: Ticket, quantity: Decimal, now: int, replaces: OrderRecord | None, new_id: Callable[[], str]
) -> OrderRecord:
    return OrderRecord(
        order_id=new_id(),
        account_id=desk.account_id,
        client_order_id=ticket.client_order_id or new_id(),
        asset_id=ticket.asset.asset_id,
        symbol=ticket.symbol,
        side=ticket.side,
        type=ticket.type,
        time_in_force=ticket.time_in_force,
        quantity=quantity,
        notional=ticket.notional,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        created_at=now,
        updated_at=now,
        replaces=None if replaces is None else replaces.order_id,
    )
