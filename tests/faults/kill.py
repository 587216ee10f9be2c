"""Kill the real headless engine while it trades on a real exchange, start it again, and compare journal and ledger.

`python -m tests.faults.kill --runs N` kills it N times at random moments and prints how each ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from engine.domain.orders import Fill, Order, OrderStatus
from tests.faults.dying_engine import AT_THE_END
from tests.waiting import until_async

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
BOTS = """
[[bots]]
name = "quick"
strategy = "sma-cross"
symbols = ["SPY", "AAPL", "NVDA", "TSLA"]
timeframe = "1s"
capital = 30000
parameters = { fast = 2, slow = 3 }
"""
LIMITS = """
[risk]
orders_per_second = 20
orders_per_minute = 1000
orders_per_day = 10000
orders_per_day_and_sleeve = 10000
max_order_notional = 50000
max_order_share = 0.5
max_position_share = 1.0
repeated_fills = 1000
duplicate_window_s = 0
"""
LONGEST = 60.0
NEVER_THERE = frozenset({OrderStatus.REJECTED, OrderStatus.BLOCKED, OrderStatus.UNRESOLVED, OrderStatus.SENT})


@contextlib.asynccontextmanager
async def exchange() -> AsyncIterator[str]:
    """Its address. A process of its own, which outlives the engine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "exchange", "--symbols", "SPY,AAPL,NVDA,TSLA",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LONGEST):
            yield (await process.stdout.readline()).decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


def configure(data: Path, url: str, *, bots: bool) -> None:
    data.mkdir(exist_ok=True)
    account = f'[alpaca.paper]\nkey = "key"\nsecret = "secret"\nurl = "{url}"\n'
    symbols = 'symbols = ["SPY", "AAPL", "NVDA", "TSLA"]\n'
    (data / "paddock.toml").write_text(symbols + account + LIMITS + (BOTS if bots else ""), encoding="utf-8")


async def start(data: Path, step: str, count: int) -> asyncio.subprocess.Process:
    """An engine that will kill itself at `step`; an ordinary one where that is empty."""
    program = ["tests.faults.dying_engine", step, str(count)] if step else ["engine.cli"]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *program, "headless", "--paper", "--data", str(data),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def die(data: Path, url: str, step: str, count: int, after: float) -> None:
    """Let it trade and be killed: at the step, or by us some seconds after its first fill."""
    process = await start(data, step, count)
    try:
        async with asyncio.timeout(LONGEST):
            if step and step not in AT_THE_END:
                await process.wait()
            else:
                await until_async(lambda: _has_traded(url), LONGEST)
                await asyncio.sleep(after)
                process.send_signal(signal.SIGTERM if step else signal.SIGKILL)
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == -signal.SIGKILL, f"it ended by itself with {process.returncode}"


async def recover(data: Path, url: str) -> tuple[float, list[str]]:
    """Seconds from the new start until journal and ledger agree; what differs, if they never do. No bot trades now."""
    configure(data, url, bots=False)
    process = await start(data, "", 0)
    began = time.monotonic()
    problems = ["not asked yet"]
    try:
        while problems and time.monotonic() - began < LONGEST:
            assert process.returncode is None, "the engine did not start again"
            problems = await compare(data, url)
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - began
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    return seconds, problems or await compare(data, url)


async def compare(data: Path, url: str) -> list[str]:
    """Journal against the exchange's ledger: each order once, each execution once, positions equal."""
    venue = {said["client_order_id"]: said for said in await _get(url, "/v2/orders", status="all", limit="500")}
    executions = await _all_fills(url)
    held = {said["symbol"]: Decimal(said["qty"]) for said in await _get(url, "/v2/positions")}
    orders, fills = _journal(data)
    problems = [f"{key} is not in the journal" for key in venue if key not in orders]
    for key, order in orders.items():
        said = venue.get(key)
        if said is None:
            if order.status not in NEVER_THERE:
                problems.append(f"{key} is {order.status.value} and the venue never had it")
        elif (order.status.value, order.filled_quantity) != (said["status"], Decimal(said["filled_qty"])):
            problems.append(f"{key} is {order.status.value}, at the venue {said['status']}")
    known = Counter(fill.execution_id for fill in fills)
    told = Counter(said["id"].rpartition("::")[2] for said in executions)
    problems += [
        f"{key} is {known[key]} times here and {told[key]} there" for key in known | told if known[key] != told[key]
    ]
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        ours[fill.symbol] += fill.quantity * fill.side.sign
    if {symbol: quantity for symbol, quantity in ours.items() if quantity} != held:
        problems.append(f"positions are {dict(ours)} here and {held} there")
    return problems


def _journal(data: Path) -> tuple[dict[str, Order], list[Fill]]:
    path = data / "paper" / "orders.db"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        orders = [msgspec.json.decode(body, type=Order) for (body,) in database.execute("SELECT body FROM orders")]
        fills = [msgspec.json.decode(body, type=Fill) for (body,) in database.execute("SELECT body FROM fills")]
    return {order.client_order_id: order for order in orders}, fills


async def _all_fills(url: str) -> list[Any]:
    found: list[Any] = []
    query = {"direction": "asc", "page_size": "100"}
    while page := await _get(url, "/v2/account/activities/FILL", **query):
        found += page
        query["page_token"] = page[-1]["id"]
    return found


async def _has_traded(url: str) -> bool:
    return len(await _get(url, "/v2/account/activities/FILL")) > 1


async def _get(url: str, path: str, **query: str) -> Any:
    async with aiohttp.ClientSession(headers=KEYS) as session, session.get(url + path, params=query) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def one(step: str = "", count: int = 1, after: float = 0.5) -> tuple[float, list[str], int]:
    """Seconds of recovery, problems, orders at the venue."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        async with exchange() as url:
            configure(data, url, bots=True)
            await die(data, url, step, count, after)
            seconds, problems = await recover(data, url)
            orders = len(await _get(url, "/v2/orders", status="all", limit="500"))
    return seconds, problems, orders


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.kill", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    wrong = 0
    for number in range(chosen.runs):
        seconds, problems, orders = asyncio.run(one(after=chance.uniform(0.0, 3.0)))
        wrong += bool(problems)
        shown = {"run": number, "recovered_s": round(seconds, 2), "orders": orders, "problems": problems}
        print(json.dumps(shown), flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
