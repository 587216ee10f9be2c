"""One seed's day: people and bots trade, faults strike, the engine dies and comes back; then all is calm and counted."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from engine.control import EmergencyReport, Placed
from engine.domain.errors import PaddockError
from engine.domain.events import TradingState
from engine.domain.orders import OrderRequest, OrderType, Side, TimeInForce
from engine.streams.messages import Signal
from tests.faults.auditor import Audit, audit, audit_journal
from tests.faults.life import BOTS, Life, scratch_folder
from tests.faults.network import Network
from tests.faults.plan import Fault, FaultPlan
from tests.faults.venue import SYMBOLS, VirtualVenue
from tests.faults.virtual import VirtualClock, VirtualLoop
from tests.faults.watch import Watch

SECONDS = 60.0
CALM = 75.0
"""Virtual seconds after the last fault in which everything must come right by itself."""
PEOPLE = ("one", "two")
DEEDS = (
    "place", "place", "place", "place", "signal", "signal", "signal", "cancel", "cancel", "cancel_all", "close",
    "regret", "wait",
)  # fmt: skip


class Day:
    def __init__(self, seed: int, loop: VirtualLoop, path: Path) -> None:
        self._random = Random(seed)
        self._path = path
        self._loop = loop
        self._clock = VirtualClock(loop)
        self.plan = FaultPlan(Random(f"{seed}/plan"))
        self.venue = VirtualVenue(Random(f"{seed}/venue"), loop, VirtualClock(loop), seed)
        self._network = Network(self.venue, self.plan, Random(f"{seed}/network"), VirtualClock(loop).now)
        self.watch = Watch()
        self.placed: dict[str, Placed] = {}
        self.cancelled: set[str] = set()
        self.reports: list[tuple[EmergencyReport, int, int]] = []
        self.deeds: Counter[str] = Counter()
        self.lives = 0
        self._wishes_made = 0

    async def run(self) -> Audit:
        self.venue.advance()
        trouble = [self._trouble(fault) for fault in (Fault.DISCONNECT, Fault.MUTE, Fault.CLOCK, Fault.KILL)]
        tasks = [self._house(work) for work in (*trouble, self._trade())]
        if (me := asyncio.current_task()) is not None:
            self._network.house.add(me)
        self._live()
        self._market()
        undertaker = self._house(self._undertaker())
        await asyncio.wait(tasks)
        self.plan.calm()
        self._network.mute(False)
        await asyncio.sleep(CALM)
        undertaker.cancel()
        await self._network.settle()
        found = audit(self.venue, self.life.core, self.watch.causes, self.placed, self.cancelled, self.reports)
        await self.life.stop()
        audit_journal(found, self.venue, self._path)
        found.problems += self.watch.problems
        failures = [*self.life.failures, *self._loop.failures]
        found.problems += [f"something failed that nobody expected: {error!r}" for error in failures]
        return found

    def _house(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._network.house.add(task)
        return task

    def _live(self) -> None:
        self.lives += 1
        self.life = Life(
            self._network, self.plan, Random(self._random.getrandbits(64)), self._clock, self._path, self._quote,
            self.watch,
        )  # fmt: skip
        self.life.start()

    async def _undertaker(self) -> None:
        """A dead engine is started again after a while."""
        while True:
            await self.life.died.wait()
            await self.life.bury()
            await asyncio.sleep(self._random.uniform(0.1, 5.0))
            self._live()

    def _market(self) -> None:
        self.venue.tick()
        self._network.remember_positions()
        self.watch.look(self.life.core)
        self._loop.call_later(0.5, self._market)

    async def _trouble(self, fault: Fault) -> None:
        if not self.plan.has(fault):
            return
        while self._loop.time() < SECONDS:
            await asyncio.sleep(self._random.uniform(3.0, 25.0))
            if self.life.is_dead or self._loop.time() > SECONDS:
                continue
            self.plan.fired[fault] += 1
            match fault:
                case Fault.KILL:
                    self.life.die()
                case Fault.CLOCK:
                    self._clock.jump(self._random.choice([-90.0, -2.0, 2.0, 90.0]))
                case Fault.MUTE:
                    self._network.mute(True)
                    await asyncio.sleep(self._random.uniform(1.0, 10.0))
                    self._network.mute(False)
                case _:
                    life = self.life
                    life.disconnect()
                    await asyncio.sleep(self._random.uniform(0.2, 8.0))
                    if not life.is_dead:
                        life.connect()

    async def _trade(self) -> None:
        await asyncio.sleep(1.0)
        emergency_at = self._random.uniform(10.0, 50.0) if self._random.random() < 0.6 else None
        while self._loop.time() < SECONDS:
            await asyncio.sleep(self._random.expovariate(1.5))
            if self.life.is_dead:
                continue
            if emergency_at is not None and self._loop.time() > emergency_at:
                emergency_at = None
                await self._emergency()
                continue
            deed = self._random.choice(DEEDS)
            self.deeds[deed] += 1
            getattr(self, f"_{deed}")()

    def _place(self) -> None:
        self._wishes_made += 1
        symbol = self._random.choice(list(SYMBOLS))
        side = self._random.choice([Side.BUY, Side.BUY, Side.SELL])
        bid, ask = self._quote(symbol)
        limit = self._random.choice([None, None, bid - 0.10, bid - 2.0, ask + 0.05])
        if side is Side.SELL and limit is not None:
            limit = 2 * bid - limit
        wish = OrderRequest(
            symbol=symbol,
            side=side,
            quantity=Decimal(self._random.randint(1, 20)),
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=None if limit is None else Decimal(f"{limit:.2f}"),
            time_in_force=self._random.choice([TimeInForce.DAY, TimeInForce.GTC]),
            sleeve=self._random.choice(PEOPLE),
            cause_id=f"wish-{self._wishes_made}",
        )
        life = self.life

        async def place() -> None:
            placed = await life.core.place(wish)
            if not life.is_dead:
                self.placed[placed.client_order_id] = placed

        life.spawn(place())

    def _signal(self) -> None:
        sleeve = self._random.choice(list(BOTS))
        self._wishes_made += 1
        signal = Signal(
            signal_id=f"signal-{self._wishes_made}", sleeve=sleeve, strategy="test", symbol=BOTS[sleeve],
            weight=self._random.choice([0.0, 0.3, 0.6, 1.0]), confidence=1.0, price=1.0, as_of=0,
            made_at=self._clock.now(),
        )  # fmt: skip
        for _ in range(self._random.choice([1, 1, 2])):
            self.life.signals.take(signal)

    def _cancel(self) -> None:
        working = self.life.core.ledger.book.open
        if working:
            chosen = self._random.choice(working).client_order_id
            self._do(lambda life: life.core.cancel(chosen), lambda: self.cancelled.add(chosen))

    def _regret(self) -> None:
        """An order is cancelled while it is long on its way."""
        self._network.held_back = 1
        self._place()
        self._loop.call_later(self._random.uniform(0.03, 0.5), self._cancel_newest)

    def _cancel_newest(self) -> None:
        working = self.life.core.ledger.book.open
        if working and not self.life.is_dead:
            chosen = max(working, key=lambda order: order.created_at).client_order_id
            self._do(lambda life: life.core.cancel(chosen), lambda: self.cancelled.add(chosen))

    def _cancel_all(self) -> None:
        self._do(lambda life: life.core.cancel_all(), lambda: None)

    def _close(self) -> None:
        symbol = self._random.choice(list(SYMBOLS))
        self._do(lambda life: life.core.close_position(symbol), lambda: None)

    def _wait(self) -> None: ...

    async def _emergency(self) -> None:
        """A person presses the button, looks at what it says, and goes on after a while."""
        life = self.life
        # Whoever presses it does so because things happen.
        self._network.held_back = self._random.choice([0, 2])
        for _ in range(4):
            self._place()
        await asyncio.sleep(self._random.choice([0.0, 0.03, 0.05, 0.3]))
        if life.is_dead:
            return
        task = life.spawn(life.core.emergency_stop("test", True))
        done = self._house(_died(life))
        await asyncio.wait({task, done}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
        if life.is_dead or not task.done():
            return
        report = task.result()
        self._compare_with(report)
        await asyncio.sleep(self._random.uniform(1.0, 20.0))
        if not life.is_dead:
            self._compare_with(report)
            self._do(lambda life: life.core.set_trading_state(TradingState.ACTIVE, ""), lambda: None)

    def _compare_with(self, report: EmergencyReport) -> None:
        """What was confirmed is so, and stays so while trading is halted."""
        if report.flat:
            desk = self.venue.desk
            self.reports.append((report, len(desk.open), len(desk.account.holdings)))

    def _do(self, work: Callable[[Life], Awaitable[Any]], done: Callable[[], object]) -> None:
        life = self.life

        async def tolerant() -> None:
            try:
                await work(life)
            except PaddockError:
                return
            if not life.is_dead:
                done()

        life.spawn(tolerant())

    def _quote(self, symbol: str) -> tuple[float, float]:
        quote = self.venue.venue.tape.symbols[symbol].quote
        assert quote is not None
        return quote.bid_price, quote.ask_price


async def _died(life: Life) -> None:
    await life.died.wait()


class Result(msgspec.Struct):
    """`digest` is of everything the venue did; two runs of one seed give the same."""

    seed: int
    problems: list[str]
    fired: dict[str, int]
    deeds: dict[str, int]
    orders: int
    fills: int
    lives: int
    digest: str


def live(seed: int) -> Result:
    """Run one seed to its end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        with scratch_folder() as folder:
            day = Day(seed, loop, Path(folder) / "orders.db")
            found = loop.run_until_complete(day.run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    digest = hashlib.sha256(repr(found.ledger).encode()).hexdigest()
    fired = {fault.value: count for fault, count in day.plan.fired.items() if count}
    return Result(seed, found.problems, fired, dict(day.deeds), found.orders, found.fills, day.lives, digest)
