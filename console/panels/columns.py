"""Columns of orders, fills and positions, which several panels show."""

from __future__ import annotations

from console import format
from console.models.table import Column
from engine.views import BalanceRow, FillRow, OrderRow, PositionRow

_ORDER_TONES = {
    "filled": "good", "rejected": "bad", "blocked": "warning", "unresolved": "bad", "canceled": "muted",
    "expired": "muted", "replaced": "muted",
}  # fmt: skip


_BALANCE_TONES = {"equal": "good", "traded elsewhere": "warning", "differs": "bad"}


def _side(side: str) -> str:
    return "up" if side == "buy" else "down"


def fill_columns() -> list[Column[FillRow]]:
    return [
        Column("Time", lambda r: format.clock(r.timestamp), lambda r: r.timestamp, width=78,
               tooltip=lambda r: format.exact(r.timestamp)),
        Column("Symbol", lambda r: r.symbol, width=70),
        Column("Side", lambda r: r.side, width=44, tone=lambda r: _side(r.side)),
        Column("Quantity", lambda r: format.quantity(r.quantity), lambda r: r.quantity, width=70, right=True),
        Column("Price", lambda r: format.price(r.price), lambda r: r.price, width=80, right=True),
        Column("Sleeve", lambda r: r.sleeve, width=100),
        Column("Order", lambda r: r.client_order_id, width=250),
    ]  # fmt: skip


def order_columns() -> list[Column[OrderRow]]:
    def filled(order: OrderRow) -> str:
        return f"{format.quantity(order.filled_quantity)} of {format.quantity(order.quantity)}"

    def stop(order: OrderRow) -> str:
        if order.trail is None:
            return format.price(order.stop_price)
        return f"trail {format.quantity(order.trail)} {order.trail_unit}"

    return [
        Column("Time", lambda r: format.clock(r.created_at), lambda r: r.created_at, width=78,
               tooltip=lambda r: format.exact(r.created_at)),
        Column("Symbol", lambda r: f"└ {r.symbol}" if r.parent else r.symbol, lambda r: r.symbol, width=78),
        Column("Side", lambda r: r.side, width=44, tone=lambda r: _side(r.side)),
        Column("Type", lambda r: r.role or r.type.replace("_", " "), width=96,
               tooltip=lambda r: f"{r.role}, a {r.type.replace('_', ' ')} order" if r.role else r.type.replace("_", " ")),
        Column("Filled", filled, lambda r: r.filled_quantity, width=90, right=True),
        Column("Limit", lambda r: format.price(r.limit_price), lambda r: r.limit_price or 0.0, width=76, right=True),
        Column("Stop", stop, lambda r: r.stop_price or r.trail or 0.0, width=90, right=True),
        Column("Average", lambda r: format.price(r.average_fill_price), lambda r: r.average_fill_price or 0.0,
               width=76, right=True),
        Column("Status", lambda r: r.status.replace("_", " "), width=100,
               tone=lambda r: _ORDER_TONES.get(r.status, "accent")),
        Column("Sleeve", lambda r: r.sleeve, width=100),
        Column("Why", lambda r: r.message, width=260),
        Column("Id", lambda r: r.client_order_id, width=250),
    ]  # fmt: skip


def position_columns() -> list[Column[PositionRow]]:
    def share(position: PositionRow) -> float:
        cost = abs(position.average_price * position.quantity)
        return position.unrealised / cost if cost else 0.0

    return [
        Column("Symbol", lambda r: r.symbol, width=80),
        Column("Quantity", lambda r: format.quantity(r.quantity), lambda r: r.quantity, width=80, right=True),
        Column("Average", lambda r: format.price(r.average_price), lambda r: r.average_price, width=86, right=True),
        Column("Last", lambda r: format.price(r.last_price), lambda r: r.last_price, width=86, right=True),
        Column("Value", lambda r: format.money(r.market_value), lambda r: r.market_value, width=92, right=True),
        Column("P&L", lambda r: format.signed(r.unrealised), lambda r: r.unrealised,
               tone=lambda r: format.tone(r.unrealised), width=96, right=True),
        Column("P&L %", lambda r: format.percent(share(r), sign=True), share,
               tone=lambda r: format.tone(100 * share(r)), width=70, right=True),
        Column("Weight", lambda r: format.percent(r.weight, 1), lambda r: r.weight, width=70, right=True),
        Column("Realised", lambda r: format.signed(r.realised), lambda r: r.realised,
               tone=lambda r: format.tone(r.realised), width=92, right=True),
        Column("Sleeve", lambda r: r.sleeve, width=110),
    ]  # fmt: skip


def balance_columns() -> list[Column[BalanceRow]]:
    return [
        Column("Symbol", lambda r: r.symbol, width=80),
        Column("Engine", lambda r: format.quantity(r.engine), lambda r: r.engine, width=90, right=True,
               tooltip=lambda r: "What our sleeves hold, without what was traded elsewhere"),
        Column("Journal", lambda r: format.quantity(r.journal), lambda r: r.journal, width=90, right=True,
               tooltip=lambda r: "The sum of the fills and bookings in the order journal"),
        Column("Broker", lambda r: format.quantity(r.broker), lambda r: r.broker, width=90, right=True,
               tooltip=lambda r: "What the broker has in the account"),
        Column("Difference", lambda r: format.quantity(r.difference), lambda r: r.difference, width=90, right=True,
               tone=lambda r: "warning" if r.difference else "muted"),
        Column("Balance", lambda r: r.verdict, width=130, tone=lambda r: _BALANCE_TONES.get(r.verdict, "bad")),
        Column("Compared", lambda r: format.clock(r.compared_at), lambda r: r.compared_at, width=80,
               tooltip=lambda r: format.exact(r.compared_at)),
    ]  # fmt: skip
