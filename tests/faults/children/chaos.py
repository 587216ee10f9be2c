"""Strike supervised workers with faults chosen at random, and see that each is noticed, mended and told as it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from engine.clock import SystemClock
from engine.domain.incidents import Incident
from engine.processes import channel
from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState as S
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.faults.children.auditor import Auditor, marked, runs
from tests.faults.children.stalls import StallWatch
from tests.faults.children.unruly import LEAK_BYTES, Settings
from tests.faults.scratch import scratch_folder

WORKERS = 12
RESERVED = range(64, 79)
HEARTBEAT_TIMEOUT = 2.5
PATIENCE = 180.0
ORPHANS_LAST = 3.0
POLICY = RestartPolicy(first=0.02, longest=0.2)
COMMAND = (sys.executable, "-m", "tests.faults.children.unruly")


class Report(msgspec.Struct, kw_only=True):
    faults: int
    seconds: float
    struck: dict[str, int]
    ends: dict[str, int]
    """Incidents by the fault that was under way."""
    steps: dict[str, int]
    worst_stall_ms: float
    """Of the loop, without the time in which the system gave us no CPU; `worst_late_ms` with it. See `stalls`."""
    worst_late_ms: float
    stalls: list[str]
    """Where the loop was in those above 100 ms."""
    problems: list[str]


class Target:
    """One worker, and what it went through since the fault that is under way."""

    def __init__(self, name: str, supervisor: Supervisor, table: Table[ProcessRow], folder: Path) -> None:
        self.name = name
        self.seen: set[S] = set()
        self.fault = ""
        self.changed = asyncio.Event()
        self._supervisor = supervisor
        self._table = table
        self._orders = folder / f"{name}.order"
        self._dies = False

    @property
    def row(self) -> ProcessRow:
        row = self._table.get(self.name)
        assert row is not None
        return row

    def settings(self) -> Settings:
        dies, self._dies = self._dies, False
        return Settings(orders=str(self._orders), dies_while_starting=dies)

    def order(self, text: str) -> None:
        self._orders.write_text(text)
        self.kill(signal.SIGUSR2)

    def kill(self, number: signal.Signals) -> None:
        if self.row.pid:
            os.kill(self.row.pid, number)

    def die_at_next_start(self) -> None:
        self._dies = True

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not true():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.1)

    async def outlived(self, pid: int) -> None:
        """By `pid`, which it had started, for no longer than it may be. Raises AssertionError."""
        began = time.perf_counter()
        while runs(pid):
            assert time.perf_counter() - began < ORPHANS_LAST, f"process {pid} outlived {self.name}"
            await asyncio.sleep(0.05)

    async def passes(self, state: S) -> None:
        await self.until(lambda: state in self.seen)

    async def restart(self) -> None:
        await self._supervisor.restart([self.name])

    async def runs(self) -> None:
        """It works again; where it was given up a person starts it."""
        async with asyncio.timeout(PATIENCE):
            while self.row.state != S.RUNNING or not self.row.progress:
                if self.row.state in (S.FATAL, S.STOPPED):
                    await self._supervisor.start([self.name])
                await asyncio.sleep(0.02)


def _ordered(order: str, *states: S) -> Callable[[Target], Awaitable[None]]:
    async def strike(target: Target) -> None:
        target.order(order)
        for state in states:
            await target.passes(state)

    return strike


def _killed(number: signal.Signals, *states: S) -> Callable[[Target], Awaitable[None]]:
    async def strike(target: Target) -> None:
        target.kill(number)
        for state in states:
            await target.passes(state)

    return strike


async def _given_up_or_mended(target: Target) -> None:
    await target.until(lambda: bool({S.BACKOFF, S.FATAL} & target.seen))


async def _crash(target: Target) -> None:
    target.order("crash")
    await _given_up_or_mended(target)


async def _sigkill(target: Target) -> None:
    target.kill(signal.SIGKILL)
    await _given_up_or_mended(target)


async def _fork_and_die(target: Target) -> None:
    target.order("fork and die")
    await _given_up_or_mended(target)


async def _fork_away_and_die(target: Target) -> None:
    """No signal to the group finds what it started; it has to be gone in time all the same."""
    pid, away = target.row.pid, ""
    target.order("fork away")
    await target.until(lambda: target.row.detail.startswith("away ") or target.row.pid != pid)
    if target.row.pid == pid:
        away = target.row.detail
    target.kill(signal.SIGKILL)
    await _given_up_or_mended(target)
    if away:
        await target.outlived(int(away.removeprefix("away ")))


async def _die_while_starting(target: Target) -> None:
    target.die_at_next_start()
    await target.restart()
    await _given_up_or_mended(target)


async def _leak(target: Target) -> None:
    before = target.row.recycles
    target.order("leak")
    await target.until(lambda: target.row.recycles > before or bool({S.FATAL, S.BACKOFF} & target.seen))


async def _spew(target: Target) -> None:
    """Its heartbeats are heard through the flood: it is not replaced."""
    pid = target.row.pid
    target.order("spew")
    await target.until(lambda: target.row.detail == "spewed" or target.row.pid != pid)


async def _refuse_to_die(target: Target) -> None:
    target.order("refuse to die")
    await target.until(lambda: target.row.detail == "refuses to die" or bool({S.BACKOFF, S.FATAL} & target.seen))
    await target.restart()
    assert S.KILLING in target.seen or S.BACKOFF in target.seen, target.seen


def exits(code: int) -> Callable[[Target], Awaitable[None]]:
    return _ordered(f"exit {code}", S.FATAL)


FAULTS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "SIGKILL": _sigkill,
    "SIGSTOP": _killed(signal.SIGSTOP, S.UNRESPONSIVE, S.KILLING),
    "hang in Python": _ordered("hang in Python", S.UNRESPONSIVE, S.KILLING),
    "hang in C": _ordered("hang in C", S.UNRESPONSIVE, S.KILLING),
    "leak": _leak,
    "spew": _spew,
    "crash": _crash,
    "fork and die": _fork_and_die,
    "fork away and die": _fork_away_and_die,
    "die while starting": _die_while_starting,
    "refuse to die": _refuse_to_die,
    **{f"exit {code}": exits(code) for code in RESERVED},
}
"""Each exit code is a fault of its own, but all together are chosen as often as any other."""
_KINDS = [name for name in FAULTS if not name.startswith("exit ")] + ["exit"]


def choose(chance: random.Random) -> str:
    kind = chance.choice(_KINDS)
    return kind if kind != "exit" else f"exit {chance.choice(RESERVED)}"


class Onlooker(Protocol):
    """Something that shows the workers while they are struck, on the same loop."""

    async def open(self) -> None: ...

    def hear(self, incident: Incident) -> None: ...

    async def close(self) -> None: ...


Show = Callable[[Supervisor, Table[ProcessRow], Path, int], Onlooker]
"""The last is a seed."""


async def run(
    faults: int,
    seed: int,
    folder: Path,
    heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
    show: Show | None = None,
) -> Report:
    """All workers are struck at the same time, each by one fault after another. Needs the event loop for itself and what
    it may `show`, and a longer `heartbeat_timeout` (seconds) on a busy computer.
    """
    with scratch_folder() as orders:  # written from the loop whose stalls are watched
        return await _run(faults, seed, folder, Path(orders), heartbeat_timeout, show)


async def _run(
    faults: int,
    seed: int,
    folder: Path,
    orders: Path,
    heartbeat_timeout: float,
    show: Show | None,
) -> Report:
    began = time.perf_counter()
    table: Table[ProcessRow] = Table()
    auditor, stalls, struck, ends = Auditor(table), StallWatch(), Counter[str](), Counter[str]()
    targets: dict[str, Target] = {}

    def hear(event: ProcessEvent) -> None:
        auditor.hear(event)
        if isinstance(event, StateChanged):
            targets[event.name].seen.add(event.new)
            targets[event.name].changed.set()
        elif isinstance(event, Incident):
            ends[f"{targets[event.process].fault}: {event.kind}"] += 1
            if onlooker is not None:
                onlooker.hear(event)

    monkey = pytest.MonkeyPatch()
    monkey.setattr(channel, "spawn", stalls.times(channel.spawn))
    asyncio.get_running_loop().set_exception_handler(lambda _, said: auditor.failed(said))
    supervisor = Supervisor(table, SystemClock(), log_folder=folder / "logs", on_event=hear, seed=seed)
    onlooker = show(supervisor, table, folder, seed) if show is not None else None
    for number in range(WORKERS):
        name = f"worker-{number}"
        targets[name] = Target(name, supervisor, table, orders)
        supervisor.add(spec_of(targets[name], heartbeat_timeout))
    if onlooker is not None:
        await onlooker.open()
    await supervisor.start_all()
    watching = [asyncio.create_task(auditor.run(supervisor)), asyncio.create_task(stalls.run())]
    chance = random.Random(seed)
    plan = [choose(chance) for _ in range(faults)]

    async def strike(target: Target) -> None:
        while plan:
            fault = plan.pop()
            await target.runs()
            target.seen.clear()
            target.fault = fault
            struck[fault.split(" 6")[0].split(" 7")[0]] += 1
            try:
                await FAULTS[fault](target)
            except TimeoutError:
                auditor.problems.append(f"{target.name}: {fault} was not noticed; seen {sorted(target.seen)}")
            except AssertionError as error:
                auditor.problems.append(f"{fault}: {error}")
        await target.runs()

    await asyncio.gather(*(strike(target) for target in targets.values()))
    for task in watching:
        task.cancel()
    crashed = [said for said in await asyncio.gather(*watching, return_exceptions=True) if type(said) is RuntimeError]
    auditor.problems.extend(f"the audit failed: {error}" for error in crashed)
    if onlooker is not None:
        await onlooker.close()
    await supervisor.stop_all()
    monkey.undo()
    await _look_for_orphans(auditor)
    return Report(
        faults=sum(struck.values()), seconds=round(time.perf_counter() - began, 1), struck=dict(sorted(struck.items())),
        ends=dict(sorted(ends.items())), steps=dict(sorted(auditor.steps.items())), worst_stall_ms=round(stalls.own * 1_000, 1),
        worst_late_ms=round(stalls.late * 1_000, 1), stalls=stalls.stacks, problems=auditor.problems,
    )  # fmt: skip


async def _look_for_orphans(auditor: Auditor) -> None:
    deadline = time.perf_counter() + ORPHANS_LAST
    left = await asyncio.to_thread(marked)
    while left and time.perf_counter() < deadline:
        await asyncio.sleep(0.1)
        left = await asyncio.to_thread(marked)
    auditor.problems.extend(f"process {process.pid} was left behind" for process in left)


def spec_of(target: Target, heartbeat_timeout: float = HEARTBEAT_TIMEOUT) -> ProcessSpec:
    return ProcessSpec(
        name=target.name, kind="unruly", group="test", command=COMMAND, settings=target.settings, start_seconds=0.0,
        heartbeat_timeout=heartbeat_timeout, stop_wait=1.0, memory_limit=LEAK_BYTES, restart=POLICY,
    )  # fmt: skip
