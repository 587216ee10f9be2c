"""An engine that buys again and again beside an order that rests, until it is killed: `python -m tests.e2e.busy_trader DATA`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from decimal import Decimal
from pathlib import Path

from engine.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from engine.orchestrator.engine import TradingEngine
from tests.e2e.test_engine import LONGEST, NOT_BLOCKED, running
from tests.waiting import until

FEW = 2
FEWER_PROCESSES = {
    "bots": [{"name": "idle", "strategy": "sma-cross", "symbols": ["SPY"], "enabled": False}],
    "processes": {"recorder": {"autostart": False}},
}
"""Purchases before it says that there is something to save."""


async def place(engine: TradingEngine, request: OrderRequest) -> None:
    await until(lambda: engine.check_order(request).allowed, LONGEST)
    assert (await engine.place_order(request)).status in NOT_BLOCKED


async def main(data: Path) -> None:
    async with running(data, **FEWER_PROCESSES) as engine:
        await place(
            engine,
            OrderRequest(
                symbol="AAPL", side=Side.BUY, quantity=Decimal(2), type=OrderType.LIMIT, limit_price=Decimal("98.5"),
                time_in_force=TimeInForce.GTC,
            ),
        )  # fmt: skip
        for number in itertools.count(1):
            await place(engine, OrderRequest(symbol="SPY", side=Side.BUY, quantity=Decimal(number % 5 + 1)))
            if number == FEW:
                print("ready", flush=True)  # noqa: T201  the parent waits for it


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
