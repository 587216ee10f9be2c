"""One seed's day: people and bots trade, faults strike, the engine dies and comes back; then all is calm and counted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from engine.control import EmergencyReport
from engine.domain.events import TradingState
from tests.faults.auditor import Audit, audit, audit_journal
from tests.faults.happenings import Happenings, quick_auction, sessions
from tests.faults.life import Life
from tests.faults.network import Network
from tests.faults.outsider import Outsider
from tests.faults.people import FOUND, People
from tests.faults.plan import Fault, FaultPlan
from tests.faults.scratch import scratch_folder
from tests.faults.venue import VirtualVenue
from tests.faults.virtual import VirtualClock, VirtualLoop
from tests.faults.watch import Watch

SECONDS = 60.0
CALM = 75.0
"""Virtual seconds after the last fault in which everything must come right by itself."""
TOLD = 1.0
"""Virtual seconds from the market's last tick to the count: what it filled is on its way to the engine for some of them."""
OUTSIDERS = 0.42
"""The share of days in which somebody else trades in the account, half of them with every such order adopted."""


class Day:
    def __init__(self, seed: int, loop: VirtualLoop, path: Path) -> None:
        self._random = Random(seed)
        self._path = path
        self._loop = loop
        self._clock = VirtualClock(loop)
        self.plan = FaultPlan(Random(f"{seed}/plan"))
        happens = Random(f"{seed}/happenings")
        self.venue = VirtualVenue(Random(f"{seed}/venue"), loop, VirtualClock(loop), seed, sessions(happens))
        self.happenings = Happenings(happens, self.venue)
        self._network = Network(self.venue, self.plan, Random(f"{seed}/network"), VirtualClock(loop).now)
        self.people = People(self._random, self.venue, self._network, self._clock, lambda: self.life)
        foreign = Random(f"{seed}/outsider")
        self.outsider = Outsider(foreign, self.venue) if foreign.random() < OUTSIDERS else None
        self._adopt_into = FOUND if self.outsider is not None and foreign.random() < 0.5 else ""
        # What a split makes of shares whose execution is not known yet is nobody's.
        self.watch = Watch(alone=self.outsider is None and not self.happenings.times)
        self.reports: list[tuple[EmergencyReport, int, int]] = []
        self.lives = 0

    async def run(self) -> Audit:
        self.venue.advance()
        trouble = [self._trouble(fault) for fault in (Fault.DISCONNECT, Fault.MUTE, Fault.CLOCK, Fault.KILL)]
        tasks = [self._house(work) for work in (*trouble, self._trade())]
        if (me := asyncio.current_task()) is not None:
            self._network.house.add(me)
        self._live()
        self._market()
        for at in self.happenings.times:
            self._loop.call_at(at, self.happenings.act)
        if (bell := self.happenings.bell) is not None:
            self._loop.call_at(bell - 2.0, self._hurry)
            self._loop.call_at(bell - 4.0, self._wait_for_the_close)
        undertaker = self._house(self._undertaker())
        await asyncio.gather(*tasks)
        self.plan.calm()
        self._network.mute(False)
        await asyncio.sleep(CALM)
        undertaker.cancel()
        self._tick.cancel()
        await asyncio.sleep(TOLD)
        await self._network.settle()
        found = audit(self.venue, self.life.core, self.watch.causes, self.people, self.reports)
        await self.life.stop()
        audit_journal(found, self.venue, self.life.core, self._path)
        found.problems += self.watch.problems + self.people.problems
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
            self._network, self.plan, Random(self._random.getrandbits(64)), self._clock, self._path, self.venue.quote,
            self.watch, self._adopt_into,
        )  # fmt: skip
        self.life.start()

    async def _undertaker(self) -> None:
        """A dead engine is started again after a while."""
        while True:
            await self.life.died.wait()
            await self.life.bury()
            await asyncio.sleep(self._random.uniform(0.1, 5.0))
            self._live()

    def deeds(self) -> dict[str, int]:
        others = self.outsider
        theirs = {} if others is None else {"somebody else's": others.acts, "changed by somebody else": others.changes}
        found = {**self.people.deeds, **self.happenings.deeds(), **theirs}
        return {deed: count for deed, count in found.items() if count}

    def _market(self) -> None:
        self.venue.tick()
        self._network.remember_positions()
        self.watch.look(self.life.core)
        self._tick = self._loop.call_later(0.5, self._market)

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
                    self._meddle()
                    self._network.mute(False)
                case _:
                    life = self.life
                    life.disconnect()
                    await asyncio.sleep(self._random.uniform(0.2, 8.0))
                    self._meddle()
                    if not life.is_dead:
                        life.connect()

    def _hurry(self) -> None:
        """The bell is about to ring."""
        if not self.life.is_dead:
            self.people.place_some(4)

    def _wait_for_the_close(self) -> None:
        if not self.life.is_dead:
            self.people.place_for_the_close(3)

    def _meddle(self) -> None:
        """What somebody else does to our orders while nobody hears of it can only be found by asking."""
        if self.outsider is not None:
            self.outsider.meddle()

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
            if self.outsider is not None and self._random.random() < 0.2:
                self.outsider.act()
            else:
                self.people.do_something()

    async def _emergency(self) -> None:
        """A person presses the button, looks at what it says, and goes on after a while."""
        life = self.life
        # Whoever presses it does so because things happen.
        self._network.held_back = self._random.choice([0, 2])
        self.people.place_some(4)
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
            life.spawn(life.core.set_trading_state(TradingState.ACTIVE, ""))

    def _compare_with(self, report: EmergencyReport) -> None:
        """What was confirmed is so, and stays so while trading is halted."""
        if report.flat:
            desk = self.venue.desk
            self.reports.append((report, len(desk.open), len(desk.account.holdings)))


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
        with scratch_folder() as folder, quick_auction():
            day = Day(seed, loop, Path(folder) / "orders.db")
            found = loop.run_until_complete(day.run())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    digest = hashlib.sha256(repr(found.ledger).encode()).hexdigest()
    fired = {fault.value: count for fault, count in day.plan.fired.items() if count}
    return Result(seed, found.problems, fired, day.deeds(), found.orders, found.fills, day.lives, digest)
