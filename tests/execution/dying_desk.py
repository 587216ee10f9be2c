"""A desk that is about to be killed: `python -m tests.execution.dying_desk URL JOURNAL STEP` prints the order's id there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from engine.broker.base import VenueOrder
from engine.domain.orders import Order
from tests.execution.conftest import Desk, buy


async def main(url: str, path: Path, step: str) -> None:
    desk = Desk(url, path)
    await desk.open(stream=False)
    from engine.risk.context import PriceView

    desk.prices["SPY"] = PriceView(bid=600.0, ask=700.0, last=700.0, age=0.0)
    real = desk.broker.submit

    async def submit(order: Order) -> VenueOrder:
        if step == "after-send":
            await real(order)
        await tell_and_wait(order)
        raise AssertionError

    async def tell_and_wait(order: Order) -> None:
        sys.stdout.write(f"{order.client_order_id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    if step == "before-commit":
        desk.core.ledger.save_before_sending = tell_and_wait  # type: ignore[method-assign]
    desk.broker.submit = submit  # type: ignore[method-assign]
    await desk.core.place(buy())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
