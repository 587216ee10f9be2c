"""`python -m tests.benchmarks.risk`: the pre-trade check beside what it is made of, and the state's upkeep, JSON lines.

The check is `TradingCore.check` as the window and the bots call it, picture of the account included: all rules, 20
positions, 50 open orders, 500 of the last day. `gate` is the rules alone on a picture that is there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.clock import IdFactory
from engine.domain.orders import Fill, Order, OrderRequest, OrderStatus, OrderType, Side, TimeInForce
from engine.execution.book import OrderBook
from engine.execution.bookkeeping import Bookkeeper
from engine.portfolio.positions import Positions
from engine.portfolio.state import PortfolioState, decode, encode
from engine.risk import gate
from engine.storage.journal import open_journal
from engine.storage.snapshots import SnapshotStore
from tests.execution.scripted_venue import LOOSE, ScriptedDesk, ScriptedVenue, SkippingClock

SYMBOLS = [f"SYM{number}" for number in range(20)]
ROUNDS = 20_000


def say(name: str, **figures: float) -> None:
    print(json.dumps({"bench": "risk", "name": name, **figures}), flush=True)


def times(work: Callable[[], object], rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds a call, median and 99th percentile: by the clock, and of processor time, as the machine is shared."""
    took, worked = [], []
    for _ in range(min(rounds, 200)):
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
    picture = core.picture(request)
    rules = times(lambda: gate.check(request, picture))
    context = times(lambda: core.picture(request))
    say("pre_trade_check", rules=len(gate.ALL) + 1, open_orders=50, recent_orders=500, **whole)
    say("pre_trade_check_rules_only", **rules, context_p50_us=context["p50_us"])
    await desk.close()


async def updates(folder: Path) -> None:
    """A fill into positions, cost, proof and exposure; then a snapshot of 1,000 positions and the start from one."""
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, folder / "state.db", LOOSE)
    ledger, now = desk.core.ledger, clock.now()
    numbers = itertools.count()

    def update() -> None:
        number = next(numbers)
        ledger.bookings.count(fill(number, Side.BUY if number % 3 else Side.SELL, now))
        ledger.gross_exposure(desk.core._pictures.mark)

    say("state_update", **times(update))
    for number in range(1_000):
        ledger.bookings.count(msgspec.structs.replace(fill(number, Side.BUY, now), symbol=f"S{number}"))
    encoded = times(lambda: encode(ledger.bookings.state()), rounds=200)
    store = SnapshotStore(folder / "snapshots")
    moments = itertools.count(1)
    took, late = [], []
    for _ in range(50):
        began = time.perf_counter()
        writing = asyncio.create_task(asyncio.to_thread(store.save, encode(ledger.bookings.state()), next(moments)))
        late.append(await _latest(writing))
        took.append(time.perf_counter() - began)
    say(
        "snapshot_1000_positions",
        on_the_loop_p50_ms=round(encoded["p50_us"] / 1e3, 2),
        durable_p50_ms=round(statistics.median(took) * 1e3, 2),
        loop_held_up_p50_ms=round(statistics.median(late) * 1e3, 2),
        loop_held_up_most_ms=round(max(late) * 1e3, 2),
        bytes=len(encode(ledger.bookings.state())),
    )
    await desk.close()


async def _latest(work: asyncio.Task[Path]) -> float:
    """The longest that the event loop did not run while `work` was done."""
    longest, before = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


async def starts(folder: Path) -> None:
    """From 10,000 fills: positions from the journal alone, and from a snapshot of nearly all of them."""
    clock = SkippingClock()
    journal, _ = open_journal(folder / "start.db")
    fills = [fill(number, Side.BUY if number % 3 else Side.SELL, number) for number in range(10_000)]

    def life(state: PortfolioState | None, until: int = 10_000) -> Bookkeeper:
        keeper = Bookkeeper(journal, {}, Positions(), OrderBook("demo"), clock, IdFactory(clock))
        assert keeper.replay(fills[:until], state) == ""
        return keeper

    payload = encode(life(None, 9_900).state())
    alone = times(lambda: life(None), rounds=20)
    snapshot = times(lambda: life(decode(payload)), rounds=20)
    say(
        "positions_of_10000_fills",
        journal_ms=round(alone["p50_us"] / 1e3, 1),
        snapshot_and_tail_ms=round(snapshot["p50_us"] / 1e3, 1),
        ratio=round(alone["p50_us"] / snapshot["p50_us"], 1),
    )
    await journal.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await checks(Path(folder))
        await updates(Path(folder))
        await starts(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
