"""The start of the real headless engine on a journal with 10,000 orders and their fills, until it is reconciled."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from decimal import Decimal
from pathlib import Path

from engine.clock import SystemClock
from engine.domain.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce
from engine.storage.journal import open_journal
from tests.faults.agreement import Account
from tests.faults.kill import GOAL, configure, exchange, life

ORDERS = 10_000
RUNS = 3


async def write(path: Path, count: int) -> None:
    """Bought and sold in turn, so that nothing is held."""
    path.parent.mkdir(parents=True)
    journal, _ = open_journal(path)
    now = SystemClock().now() - count * 1_000_000
    waiting = []
    for number in range(count):
        order = Order(
            client_order_id=f"paper-manual-{number:026}", symbol="SPY", side=Side.SELL if number % 2 else Side.BUY,
            quantity=Decimal(1), type=OrderType.MARKET, time_in_force=TimeInForce.DAY, sleeve="manual",
            created_at=now + number * 1_000_000, status=OrderStatus.FILLED, filled_quantity=Decimal(1),
            average_fill_price=Decimal(100), venue_order_id=f"v{number}",
        )  # fmt: skip
        fill = Fill(
            execution_id=f"e{number}", client_order_id=order.client_order_id, venue_order_id=f"v{number}", symbol="SPY",
            side=order.side, quantity=Decimal(1), price=Decimal(100), timestamp=order.created_at, sleeve="manual",
        )  # fmt: skip
        waiting.append(journal.append_soon(order, fill))
    await asyncio.gather(*waiting)
    await journal.close()


async def seconds_of_start(url: str, orders: int, key: str) -> float:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data, account = Path(folder) / "data", Account(url, key)
        configure(data, account)
        await write(data / "paper" / "orders.db", orders)
        async with life(data, account) as engine:
            await engine.begin()
            return await engine.reconciled()


async def _measure() -> None:
    async with exchange() as url:
        few = [await seconds_of_start(url, 2, f"few-{run}") for run in range(RUNS)]
        many = [await seconds_of_start(url, ORDERS, f"many-{run}") for run in range(RUNS)]
    value = statistics.median(many)
    print(json.dumps({"what": "start to reconciled with 10,000 journalled orders", "value": round(value, 2), "unit": "s",
                      "goal": GOAL, "ratio": round(GOAL / value, 2), "with 2 orders": round(statistics.median(few), 2)}),
          flush=True)  # fmt: skip


def measure() -> None:
    asyncio.run(_measure())


if __name__ == "__main__":
    measure()
