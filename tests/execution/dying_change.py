"""A desk that is about to be killed while it changes an order: `python -m tests.execution.dying_change URL JOURNAL STEP`
prints the ids of the old order and of the new one when it is there.
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from engine.broker.base import VenueOrder
from engine.domain.orders import Order, OrderChanges, OrderStatus
from engine.risk.context import PriceView
from tests.execution.conftest import Desk, buy
from tests.waiting import until

STEPS = ("before-commit", "before-send", "after-send", "after-answer")


async def main(url: str, path: Path, step: str) -> None:
    desk = Desk(url, path)
    await desk.open()
    desk.prices["SPY"] = PriceView(bid=600.0, ask=600.0, last=600.0, age=0.0)
    placed = await desk.core.place(buy(2, limit="100.00"))
    old = desk.core.ledger.book.get(placed.client_order_id)
    assert old is not None
    await until(lambda: old.status is OrderStatus.NEW)
    real = desk.broker.replace

    async def replace(venue_order_id: str, order: Order) -> VenueOrder:
        if step == "before-send":
            await tell_and_wait(order)
        said = await real(venue_order_id, order)
        if step == "after-send":
            await tell_and_wait(order)
        return said

    async def tell_and_wait(order: Order) -> None:
        sys.stdout.write(f"{placed.client_order_id} {order.client_order_id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    if step == "before-commit":
        desk.core.ledger.save_before_sending = tell_and_wait  # type: ignore[method-assign]
    desk.broker.replace = replace  # type: ignore[method-assign]
    changed = await desk.core.replace(placed.client_order_id, OrderChanges(limit_price=Decimal("101.00")))
    new = desk.core.ledger.book.get(changed.client_order_id)
    assert new is not None
    await tell_and_wait(new)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
