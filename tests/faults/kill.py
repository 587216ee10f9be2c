"""Kill the real headless engine while it trades on a real exchange, start it again, and compare journal and ledger.

`python -m tests.faults.kill --runs N` kills it N times at random moments of its start, its trading and its end, one life
after the other in the same journal, and prints how each next start recovered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.faults.agreement import Account, all_orders, differences
from tests.faults.dying_engine import AT_THE_END, SELDOM

CONFIGURATION = """
symbols = ["SPY", "AAPL", "NVDA", "TSLA"]
[alpaca.paper]
key = "{key}"
secret = "secret"
url = "{url}"
[engine]
snapshot_s = 0.1
[risk]
orders_per_second = 1000
orders_per_minute = 10000
orders_per_day = 50000
orders_per_day_and_sleeve = 50000
max_order_notional = 50000
max_order_share = 0.5
max_position_share = 10.0
max_gross_exposure = 10.0
max_open_orders = 1000
max_open_orders_per_symbol = 1000
repeated_fills = 1000000
duplicate_window_s = 0
daily_loss_halted = 0.9
max_drawdown = 0.9
"""
LONGEST = 60.0
COUNT = 2
"""The time at which a step kills that comes often."""
LIVES = 20
"""Engines one after another on the same exchange; then both begin anew."""
GOAL = 5.0
"""Seconds from a start until journal and ledger agree."""


@contextlib.asynccontextmanager
async def exchange() -> AsyncIterator[str]:
    """Its address. A process of its own, which outlives the engine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "exchange", "--symbols", "SPY,AAPL,NVDA,TSLA",
        stdout=asyncio.subprocess.PIPE, env=_environment(),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(LONGEST):
            ready = await process.stdout.readline()
        yield ready.decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


class Life:
    """One process of the engine, from its start to its death."""

    def __init__(self, data: Path, account: Account) -> None:
        self._data = data
        self._account = account
        self._began = time.monotonic()
        self.late: list[str] = []
        """What still differed when it called itself reconciled."""

    async def begin(self, seed: int = 0, step: str = "", count: int = 0) -> None:
        self._began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.busy_engine", str(seed), step, str(count),
            "headless", "--paper", "--data", str(self._data),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
        )  # fmt: skip

    async def reconciled(self) -> float:
        """Seconds from the start until it calls itself reconciled."""
        await self._said("reconciled")
        return self._age

    async def recovered(self) -> tuple[float, list[str]]:
        """Seconds from the start until journal and ledger agree; what differs, if they never do. Nothing trades yet."""
        await self.reconciled()
        self.late = []
        while problems := await differences(self._data / "paper" / "orders.db", self._account):
            self.late = problems
            if self._age > LONGEST:
                break
            await asyncio.sleep(0.02)
        return self._age, problems

    async def trade(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"trade\n")

    async def traded(self) -> None:
        await self._said("traded")

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self.died()

    async def stop(self) -> None:
        self._process.terminate()

    async def died(self) -> None:
        """Raises AssertionError when it ended by itself."""
        async with asyncio.timeout(LONGEST):
            code = await self._process.wait()
        assert code == -signal.SIGKILL, f"it ended by itself with {code}"

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # Else the pipe's transport would be closed by the collector, after the loop.
        await self._process.communicate()

    @property
    def _age(self) -> float:
        return time.monotonic() - self._began

    async def _said(self, word: str) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(LONGEST):
            async for line in self._process.stdout:
                if line.decode().strip() == word:
                    return
        raise AssertionError(f"it never said {word}")


def _environment() -> dict[str, str]:
    """Compiled modules are kept: a start is measured, not a compilation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.asynccontextmanager
async def life(data: Path, account: Account) -> AsyncIterator[Life]:
    one = Life(data, account)
    try:
        yield one
    finally:
        await one.end()


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Children of a killed engine write until they notice."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


def configure(data: Path, account: Account) -> None:
    data.mkdir(exist_ok=True)
    (data / "paddock.toml").write_text(CONFIGURATION.format(url=account.url, key=account.key), encoding="utf-8")


async def one(step: str, account: Account) -> tuple[float, list[str], int]:
    """Killed at a step, then started again: seconds of recovery, problems, orders at the venue."""
    with _folder() as folder:
        data = Path(folder) / "data"
        configure(data, account)
        async with life(data, account) as dying:
            await dying.begin(1, step, 1 if step in SELDOM else COUNT)
            await dying.trade()
            if step in AT_THE_END:
                await dying.traded()
                await dying.stop()
            await dying.died()
        async with life(data, account) as next_one:
            await next_one.begin()
            seconds, problems = await next_one.recovered()
    return seconds, problems, len(await all_orders(account))


class Kills:
    """Random kills, one life after another. `recoveries` in seconds, one for each kill."""

    def __init__(self, seed: int) -> None:
        self.recoveries: list[float] = []
        self.wrong = 0
        self._seed = seed
        self._chance = random.Random(seed)

    async def run(self, kills: int) -> None:
        while (left := kills - len(self.recoveries)) > 0:
            with _folder() as folder:
                async with exchange() as url:
                    await self._lives(Path(folder) / "data", Account(url), min(left, LIVES))

    async def _lives(self, data: Path, account: Account, kills: int) -> None:
        configure(data, account)
        how = "first"
        for number in range(kills + 1):
            async with life(data, account) as now:
                await now.begin(self._chance.randrange(2**32))
                if 0 < number < kills and self._chance.random() < 0.15:
                    # Killed again before it has recovered: the next one has two deaths to make good.
                    await asyncio.sleep(self._chance.uniform(0.3, 1.5))
                    how += ", then in its start"
                    await now.kill()
                    await now.end()
                    await now.begin(self._chance.randrange(2**32))
                seconds, problems = await now.recovered()
                if number:
                    self._note(how, seconds, now.late, problems, len(await all_orders(account)))
                if number < kills:
                    how = await self._kill(now)

    async def _kill(self, now: Life) -> str:
        await now.trade()
        await now.traded()
        await asyncio.sleep(self._chance.uniform(0.0, 0.5))
        how = "trading"
        if self._chance.random() < 0.15:
            await now.stop()
            await asyncio.sleep(self._chance.uniform(0.0, 0.2))
            how = "stopping"
        await now.kill()
        return how

    def _note(self, how: str, seconds: float, late: list[str], problems: list[str], orders: int) -> None:
        self.recoveries.append(seconds)
        self.wrong += bool(problems)
        shown = {"run": len(self.recoveries), "seed": self._seed, "killed": how, "recovered_s": round(seconds, 2),
                 "orders": orders, "late": late, "problems": problems}  # fmt: skip
        print(json.dumps(shown), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.kill", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    kills = Kills(chosen.seed)
    asyncio.run(kills.run(chosen.runs))
    found = sorted(kills.recoveries)
    cuts = statistics.quantiles(found, n=100, method="inclusive") if len(found) > 1 else found * 99
    summary = {"kills": len(found), "wrong": kills.wrong, "recovered_p50_s": round(cuts[49], 2),
               "recovered_p99_s": round(cuts[98], 2), "recovered_most_s": round(found[-1], 2), "goal_s": GOAL}  # fmt: skip
    print(json.dumps(summary), flush=True)
    return int(kills.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
