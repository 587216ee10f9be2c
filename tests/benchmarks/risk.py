"""`python -m tests.benchmarks.risk`: the pre-trade check beside what it is made of, and the state's upkeep, JSON lines.

The check is `TradingCore.check` as the window and the bots call it, picture of the account included: all rules, 20
positions, 50 open orders, 500 of the last day. `gate` is the rules alone on a picture that is there.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from engine.domain.orders import Fill, Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from engine.risk import gate
from tests.execution.scripted_venue import LOOSE, ScriptedDesk, ScriptedVenue, SkippingClock

SYMBOLS = [f"SYM{number}" for number in range(20)]
ROUNDS = 20_000


def say(name: str, **figures: float) -> None:
    print(json.dumps({"bench": "risk", "name": name, **figures}), flush=True)


def times(work: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds a call, median and 99th percentile: by the clock, and of processor time, as the machine is shared."""
    took, worked = [], []
    for _ in range(200):
        work()
    for _ in range(rounds):
        began, began_working = time.perf_counter_ns(), time.thread_time_ns()
        work()
        worked.append(time.thread_time_ns() - began_working)
        took.append(time.perf_counter_ns() - began)
    wall, cpu = statistics.quantiles(took, n=100), statistics.quantiles(worked, n=100)
    return {
        "p50_us": round(wall[49] / 1e3, 1),
        "p99_us": round(wall[98] / 1e3, 1),
        "cpu_p50_us": round(cpu[49] / 1e3, 1),
        "cpu_p99_us": round(cpu[98] / 1e3, 1),
    }


def order(number: int, status: OrderStatus, now: int) -> Order:
    return Order(
        client_order_id=f"o{number}", symbol=SYMBOLS[number % 20], side=Side.BUY, quantity=Decimal(1),
        type=OrderType.LIMIT, time_in_force=TimeInForce.DAY, sleeve=f"bot{number % 4}", created_at=now,
        status=status, limit_price=Decimal(90), venue_order_id=f"v{number}",
    )  # fmt: skip


def fill(number: int, side: Side, now: int) -> Fill:
    return Fill(
        execution_id=f"e{number}", client_order_id=f"o{number}", venue_order_id=f"v{number}",
        symbol=SYMBOLS[number % 20], side=side, quantity=Decimal(3), price=Decimal("100.01"), timestamp=now,
        sleeve=f"bot{number % 4}",
    )  # fmt: skip


async def checks(folder: Path) -> None:
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, folder / "orders.db", LOOSE)
    await desk.open()
    core, now = desk.core, clock.now()
    for number in range(500):
        core.ledger.book.add(order(number, OrderStatus.NEW if number >= 450 else OrderStatus.FILLED, now))
    for number in range(100):
        core.ledger.positions.apply(fill(number, Side.BUY, now))
    request = OrderRequest(
        symbol="SYM1", side=Side.BUY, quantity=Decimal(2), type=OrderType.LIMIT, limit_price=Decimal("99.90"),
        sleeve="bot1",
    )  # fmt: skip
    await core.assets.learn("SYM1")
    verdict = core.check(request)
    assert verdict.allowed, verdict
    whole = times(lambda: core.check(request))
    picture = core._context(request)
    rules = times(lambda: gate.check(request, picture))
    context = times(lambda: core._context(request))
    say("pre_trade_check", rules=len(gate.ALL) + 1, open_orders=50, recent_orders=500, **whole)
    say("pre_trade_check_rules_only", **rules, context_p50_us=context["p50_us"])
    await desk.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await checks(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
