"""From a bot's signal to its order on the wire, hop by hop: the whole engine, its children and the journal on a real disk.

The wire is where Python hands the request to the socket. Beside it: what the disk takes for the synced write that must
come before, one after each order, because a disk that others use has its moments; and a POST of the same order by nothing
but the HTTP client.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any

from engine import event_loop
from engine.broker.limiter import RateLimiter
from engine.config import load_settings
from engine.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from engine.garbage import spare_the_living
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TradingEngine
from engine.streams.messages import Signal
from tests.waiting import until

SYMBOLS = ["SPY", "QQQ", "AAPL", "MSFT"]
SLEEVE = "bench"
ORDERS = 1_000
HOPS = ("signal", "verdict", "intent durable", "on the wire", "answer")
GOAL_MS = 5.0
LONGEST = 10.0
SETTLE = 3.0
LIMITS = {
    "orders_per_second": 1_000, "orders_per_minute": 10_000, "orders_per_day": 50_000,
    "orders_per_day_and_sleeve": 50_000, "duplicate_window_s": 0.0, "repeated_fills": 1_000_000,
}  # fmt: skip
_KEY = re.compile(rb'"client_order_id":\s*"([^"]+)"')


@contextlib.contextmanager
def seen_on_the_wire() -> Iterator[dict[str, float]]:
    """Monotonic seconds at which each order's body goes into the socket, by client order id."""
    found: dict[str, float] = {}
    send = http.client.HTTPConnection.send

    def noting(self: http.client.HTTPConnection, data: Any) -> None:
        if isinstance(data, bytes) and (key := _KEY.search(data)):
            found[key[1].decode()] = time.monotonic()
        send(self, data)

    http.client.HTTPConnection.send = noting  # type: ignore[method-assign]
    try:
        yield found
    finally:
        http.client.HTTPConnection.send = send  # type: ignore[method-assign]


@contextlib.asynccontextmanager
async def running(data: Path) -> AsyncIterator[TradingEngine]:
    bot = {"name": SLEEVE, "strategy": "buy-hold", "symbols": SYMBOLS, "capital": 10_000}
    settings = load_settings(data, {"symbols": SYMBOLS, "bots": [bot], "risk": LIMITS})
    with Installation(settings.data, folder_name(settings)) as installation:
        engine = TradingEngine(settings, installation)
        await engine.start()
        spare_the_living()
        try:
            # Its signals are ours; and the venue's limit of 200 requests a minute is not what is measured.
            await engine.stop_processes([SLEEVE])
            assert engine._trading is not None
            engine._trading.broker._limiter = RateLimiter(engine._parts.clock, 1e9)
            await until(lambda: engine._core.ready and all(engine._parts.market.quote(one) for one in SYMBOLS), 30.0)
            yield engine
        finally:
            await engine.stop()


class BareCommits:
    """Appends of two rows' size, synced: the least that any journal on this disk takes. Milliseconds of each."""

    def __init__(self, file: FileIO) -> None:
        self.times: list[float] = []
        self._file = file

    def commit(self) -> None:
        began = time.perf_counter()
        self._file.write(b"." * 4_096)
        os.fdatasync(self._file.fileno())
        self.times.append((time.perf_counter() - began) * 1e3)


async def trade(engine: TradingEngine, count: int, bare: BareCommits) -> list[str]:
    """One signal after the other, each when the order before it is filled; the orders' ids."""
    chance = random.Random(0)
    keys: list[str] = []
    for number in range(count):
        signal = _signal(engine, number)
        engine._parts.router.on_signal(signal)
        order: Order = await until(partial(_order_of, engine, signal.signal_id), LONGEST)
        await until(partial(_is_settled, engine, order), LONGEST)
        keys.append(order.client_order_id)
        await asyncio.to_thread(bare.commit)
        await asyncio.sleep(chance.uniform(0.001, 0.01))
    return keys


def _signal(engine: TradingEngine, number: int) -> Signal:
    """In and out of each symbol in turn."""
    now = engine._parts.clock.now()
    return Signal(
        signal_id=f"signal-{number}", sleeve=SLEEVE, strategy="bench", symbol=SYMBOLS[number % len(SYMBOLS)],
        weight=0.2 if number // len(SYMBOLS) % 2 == 0 else 0.0, confidence=1.0, price=100.0, as_of=now, made_at=now,
        reason="benchmark",
    )  # fmt: skip


def _order_of(engine: TradingEngine, cause_id: str) -> Order | None:
    """Among the newest: to look through all of them would take longer than what is measured."""
    newest = itertools.islice(reversed(engine._core.ledger.book._orders.values()), 20)
    return next((order for order in newest if order.cause_id == cause_id), None)


def _is_settled(engine: TradingEngine, order: Order) -> bool:
    assert order.status not in {OrderStatus.BLOCKED, OrderStatus.REJECTED}, order.message
    # The stream may be faster than the answer.
    answered = any(hop.name == "answer" for hop in engine.flight(order.client_order_id))
    return answered and order.status.is_final and engine._core.ledger.book.filled(order) == order.filled_quantity


def hops(engine: TradingEngine, keys: list[str], wire: dict[str, float]) -> dict[str, list[float]]:
    """Milliseconds of each hop since the one before it, and of the whole way from the signal to the wire."""
    found: dict[str, list[float]] = defaultdict(list)
    for key in keys:
        at = {hop.name: hop.monotonic for hop in reversed(engine.flight(key))} | {"on the wire": wire[key]}
        for before, name in itertools.pairwise(HOPS):
            found[name].append((at[name] - at[before]) * 1e3)
        found["signal to wire"].append((at["on the wire"] - at["signal"]) * 1e3)
    return found


async def bare_posts(engine: TradingEngine, count: int) -> list[float]:
    """Milliseconds of a POST and its answer, with nothing before it."""
    assert engine._trading is not None
    found = []
    for number in range(count):
        order = Order(
            client_order_id=f"bare-{number}", symbol="SPY", side=Side.BUY if number % 2 else Side.SELL,
            quantity=Decimal(1), type=OrderType.MARKET, time_in_force=TimeInForce.DAY, sleeve=SLEEVE,
            created_at=engine._parts.clock.now(),
        )  # fmt: skip
        began = time.perf_counter()
        await engine._trading.broker.submit(order)
        found.append((time.perf_counter() - began) * 1e3)
    return found


def shown(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


async def _measure(folder: Path) -> None:
    async with running(folder) as engine:
        await asyncio.sleep(SETTLE)
        with seen_on_the_wire() as wire, (folder / "bare").open("ab", buffering=0) as file:
            bare = BareCommits(file)
            keys = await trade(engine, ORDERS, bare)
        found = hops(engine, keys, wire)
        posts = await bare_posts(engine, ORDERS // 4)
    whole = shown(found.pop("signal to wire"))
    print(json.dumps({
        "what": "signal to order on the wire", "value": whole["p99_ms"], "unit": "ms p99", "goal": GOAL_MS,
        "ratio": round(GOAL_MS / whole["p99_ms"], 2), **whole, "orders": ORDERS,
        "hops": {name: shown(times) for name, times in found.items()},
        "bare synced write": shown(bare.times), "bare POST and answer": shown(posts),
    }), flush=True)  # fmt: skip


def measure() -> None:
    with tempfile.TemporaryDirectory() as folder:
        event_loop.run(_measure(Path(folder)))


if __name__ == "__main__":
    measure()
