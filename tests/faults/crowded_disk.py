"""`python -m tests.faults.crowded_disk HOW FOLDER URL`: the engine on a file system of its own, which fills up or turns
read-only while it trades, and is mended. Every line of stdout is one thing that was found wrong; none is right.

To be run in a mount namespace: `unshare -m` for root, `unshare -rm` for anybody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.bus.letters import dead_letter
from engine.config import load_settings
from engine.domain.errors import DataError, OrderError, PaddockError
from engine.domain.events import SystemEvent, TradingState
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TradingEngine
from tests.faults.agreement import Account, differences
from tests.faults.kill import configure
from tests.waiting import until, until_async

LONGEST = 20.0
MOST_TRIES = 3_000
"""Orders until the journal needs a page that is not there: it fills those first that it has."""


class FullDisk:
    """A tmpfs that is filled to its last page, until somebody makes room."""

    mends_by_itself = True

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"
        _run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder))

    def refuse(self) -> None:
        with self._ballast.open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(b"." * 4_096)

    def recover(self) -> None:
        self._ballast.unlink()


class BrokenDisk:
    """An ext4 that turns read-only under open files, as after an error of the device; it must be mounted anew."""

    mends_by_itself = False

    def __init__(self, folder: Path) -> None:
        self._folder, self._image = folder, folder.with_suffix(".ext4")
        with self._image.open("wb") as image:
            image.truncate(48_000_000)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()

    def refuse(self) -> None:
        _run("mount", "-o", "remount,abort", str(self._folder))

    def recover(self) -> None:
        _run("umount", str(self._folder))
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self._folder))


DISKS = {"full": FullDisk, "broken": BrokenDisk}


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


class Drill:
    def __init__(
        self, engine: TradingEngine, disk: FullDisk | BrokenDisk, account: Account, installation: Installation
    ) -> None:
        self._engine = engine
        self._disk = disk
        self._account = account
        self._files = installation

    async def refused(self) -> None:
        await until(
            lambda: all(self._engine.check_order(_buy(1, symbol)).allowed for symbol in ("AAPL", "SPY")), LONGEST
        )
        await self._engine.place_order(_buy(5))
        resting = [await self._rest(number) for number in range(3)]
        self._disk.refuse()
        await self._orders_halt()
        await self._cancels_work(resting[0])
        await self._others_are_told()
        await self._the_stop_works()

    async def mended(self) -> None:
        """In the same life: what was kept in memory is written now."""
        behind = self._engine._core.ledger.behind
        await until(lambda: len(behind) == 0, LONGEST)
        await self._engine._parts.letters.flush()
        await until(lambda: _trading_state(self._files.journal) == "HALTED|the disk refuses", LONGEST)

    async def trades(self) -> None:
        engine = self._engine
        await engine.allow_trading()
        await until(lambda: engine.check_order(_buy(2)).allowed, LONGEST)
        placed = await engine.place_order(_buy(2))
        expect(placed.status not in {"rejected", "blocked"}, f"an order is {placed.status}: {placed.message}")
        await engine._trading_part._state.save()
        with contextlib.suppress(TimeoutError):
            await until_async(self._agrees, LONGEST)
        for problem in await differences(self._files.journal, self._account):
            expect(False, problem)

    async def _agrees(self) -> bool:
        return not await differences(self._files.journal, self._account)

    async def _rest(self, number: int) -> str:
        quote = self._engine._parts.market.quote("SPY")
        assert quote is not None
        price = Decimal(f"{quote.last * 0.98:.2f}") - number
        placed = await self._engine.place_order(
            OrderRequest(symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT, limit_price=price)
        )
        expect(placed.status in {"new", "accepted", "pending_new"}, f"a resting order is {placed.status}")
        return placed.client_order_id

    async def _orders_halt(self) -> None:
        for _ in range(MOST_TRIES):
            placed = await self._engine.place_order(_buy(1))
            if placed.status == "rejected":
                break
        expect(placed.status == "rejected", f"an order is {placed.status} without a journal")
        expect("journal cannot be written" in placed.message, f"it is refused with {placed.message!r}")
        await until(lambda: self._told("journal cannot be written", "Free space"), LONGEST)

    def _told(self, message: str, remedy: str) -> bool:
        return any(message in row.message and remedy in row.remedy for row in self._engine.views.errors)

    async def _cancels_work(self, client_order_id: str) -> None:
        await self._engine.cancel_order(client_order_id)
        book = self._engine._core.ledger.book
        await until(lambda: (order := book.get(client_order_id)) and order.status.is_final, LONGEST)

    async def _others_are_told(self) -> None:
        """State by hand, snapshot and market data: each refusal in words, none the end of anything."""
        engine, trading = self._engine, self._engine._trading_part
        with contextlib.suppress(OrderError):
            await engine.halt("by hand")
        expect(engine._core.trading_state is TradingState.HALTED, "halting needs the disk")
        expect(await refused(trading._state.save), "a snapshot was written without a disk")
        letter = dead_letter(SystemEvent(event_id="e", timestamp=0, component="drill", state="s"), "h", ValueError(), 1)
        engine._parts.letters.take(letter)
        expect(await refused(engine._parts.letters.flush), "a dead letter was written without a disk")
        expect(engine.views.dead_letters.get(letter.key) is not None, "a dead letter is lost")
        with contextlib.suppress(OrderError):
            await engine.allow_trading()
        recorder = await until(lambda: engine.views.processes.get("recorder"), LONGEST)
        await until(lambda: self._told("market database", "rows wait"), LONGEST)
        expect(recorder.state == "RUNNING", f"the recorder is {recorder.state}")

    async def _the_stop_works(self) -> None:
        report = await self._engine.emergency_stop("the disk refuses", flatten=True)
        expect(report.flat, f"{report.text} {report.steps}")


async def _no_start(running: Callable[[], AbstractAsyncContextManager[Drill]]) -> None:
    try:
        async with running():
            expect(False, "it starts without a disk")
    except PaddockError as error:
        expect("move" not in error.remedy, f"a journal that is whole is to be put away: {error.message} {error.remedy}")


def _buy(quantity: int, symbol: str = "AAPL") -> OrderRequest:
    return OrderRequest(symbol=symbol, side=Side.BUY, quantity=Decimal(quantity))


async def refused(work: Callable[[], Awaitable[Any]]) -> bool:
    try:
        await work()
    except DataError as error:
        return bool(error.remedy)
    return False


def _trading_state(journal: Path) -> str:
    with contextlib.closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as database:
        (found,) = database.execute("SELECT body FROM facts WHERE key = 'trading_state'").fetchone() or (b"",)
    return bytes(found).decode()


def expect(right: bool, otherwise: str) -> None:
    if not right:
        print(otherwise, flush=True)


async def main(how: str, folder: Path, url: str) -> None:
    disk = DISKS[how](folder)
    account = Account(url, key=how)
    configure(folder, account)
    settings = load_settings(folder, {"environment": "paper"})

    @contextlib.asynccontextmanager
    async def running() -> AsyncIterator[Drill]:
        with Installation(settings.data, folder_name(settings)) as installation:
            engine = TradingEngine(settings, installation)
            await engine.start()
            try:
                yield Drill(engine, disk, account, installation)
            finally:
                await engine.stop()

    async with running() as drill:
        await drill.refused()
        if disk.mends_by_itself:
            disk.recover()
            await drill.mended()
            await drill.trades()
    if disk.mends_by_itself:
        disk.refuse()
    await _no_start(running)
    disk.recover()
    async with running() as drill:
        await drill.trades()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
