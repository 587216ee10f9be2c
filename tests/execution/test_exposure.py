"""The exposure that is kept up to date equals the one that is summed anew, after whatever has happened."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

from engine.broker.base import VenueFill, VenueOrder
from engine.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from engine.execution.ledger import Ledger
from engine.risk.valuation import exposure, working_value
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock

SYMBOLS = ("SPY", "IBM", "BAC")
PRICES = {"SPY": Decimal(100), "IBM": Decimal(30), "BAC": Decimal("7.5")}


def summed_anew(ledger: Ledger) -> Decimal:
    total = Decimal(0)
    for symbol in SYMBOLS:
        values = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        for order in ledger.book:
            if order.symbol == symbol and order.is_open:
                values[order.side] += working_value(order, PRICES[symbol])
        held = sum((held.quantity for held in ledger.positions if held.symbol == symbol), Decimal(0))
        total += exposure(held * PRICES[symbol], values[Side.BUY], values[Side.SELL])
    return total


def an_order(source: random.Random, number: int) -> Order:
    limited = source.random() < 0.6
    return Order(
        client_order_id=f"demo-bot-{number}", symbol=source.choice(SYMBOLS), side=source.choice(list(Side)),
        quantity=Decimal(source.randint(1, 9)), type=OrderType.LIMIT if limited else OrderType.MARKET,
        time_in_force=TimeInForce.DAY, sleeve="bot", created_at=number, venue_order_id=f"v{number}",
        limit_price=Decimal(source.randint(5, 120)) if limited else None,
    )  # fmt: skip


def told(order: Order, status: OrderStatus) -> VenueOrder:
    return VenueOrder(
        client_order_id=order.client_order_id, venue_order_id=order.venue_order_id, symbol=order.symbol,
        side=order.side, quantity=order.quantity, type=order.type, time_in_force=order.time_in_force, status=status,
        filled_quantity=order.filled_quantity, limit_price=order.limit_price,
    )  # fmt: skip


async def test_orders_fills_and_ends_in_any_sequence(tmp_path: Path) -> None:
    source, clock = random.Random(7), SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db")
    ledger, orders = desk.core.ledger, list[Order]()
    for number in range(400):
        order = source.choice(orders) if orders and source.random() < 0.7 else an_order(source, number)
        if order not in orders:
            orders.append(order)
            ledger.book.add(order)
        what = source.choice(["fill", "cancel", "reject", "news"])
        if what == "fill" and order.is_open:
            quantity = min(order.remaining, Decimal(source.randint(1, 4)))
            fill = VenueFill(
                execution_id=f"e{number}", venue_order_id=order.venue_order_id, symbol=order.symbol, side=order.side,
                quantity=quantity, price=Decimal(50), timestamp=number,
            )  # fmt: skip
            ledger.take_fill(fill)
        elif what == "cancel":
            ledger.take_order(told(order, OrderStatus.CANCELED))
        elif what == "reject" and order.is_open:
            order.status = OrderStatus.REJECTED
            ledger.settle(order)
        else:
            ledger.take_order(told(order, OrderStatus.NEW))
        assert ledger.gross_exposure(PRICES.__getitem__) == summed_anew(ledger), (number, what)
        assert ledger.book.open_count == sum(one.is_open for one in ledger.book)
    await desk.close()
