"""Compare what the supervisor shows with what the operating system knows, again and again while faults strike."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.guard import GUARD
from engine.processes.lifeline import MARK, mark
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.faults.children.laws import LAW, LIVE

EVERY = 0.25
ZOMBIES_LAST = 3.0
GONE_IS_SHOWN = 5
"""Looks: what is left in its pipes is read before its end is told."""
SLACK = 2_000_000
"""Bytes that a process may grow and shrink again between two looks."""
FIGURES_EVERY = 8
"""Looks between two comparisons of figures."""


class Auditor:
    """`problems` in words. `hear` gets the supervisor's events."""

    def __init__(self, table: Table[ProcessRow]) -> None:
        self.problems: list[str] = []
        self.steps: Counter[str] = Counter()
        self._table = table
        self._states: dict[str, ProcessState] = {}
        self._missing: Counter[int] = Counter()
        self._zombies: dict[int, float] = {}

    def hear(self, event: ProcessEvent) -> None:
        if not isinstance(event, StateChanged):
            return
        known = self._states.get(event.name, ProcessState.STOPPED)
        if event.old is not known or event.new not in LAW[event.old]:
            self.problems.append(f"{event.name}: {event.old} → {event.new}, known as {known}")
        self._states[event.name] = event.new
        self.steps[f"{event.old} → {event.new}"] += 1

    def failed(self, said: dict[str, Any]) -> None:
        """In the event loop, where nobody could catch it."""
        self.problems.append(f"{said.get('message')}: {said.get('exception')!r}")

    async def run(self, supervisor: Supervisor) -> None:
        looks = 0
        while True:
            await asyncio.sleep(EVERY)
            looks += 1
            self._look()
            if looks % FIGURES_EVERY == 0:
                await self._compare_figures(supervisor)

    def _look(self) -> None:
        """Every child is in the table and every pid in the table is a child; a zombie is gone within seconds."""
        now = asyncio.get_running_loop().time()
        children = _children()
        shown = {row.pid for row in self._table if row.pid}
        zombies = {pid for pid in children if _is_zombie(pid)}
        self._zombies = {pid: self._zombies.get(pid, now) for pid in zombies}
        for pid, since in self._zombies.items():
            if now - since > ZOMBIES_LAST:
                self.problems.append(f"process {pid} is a zombie for {now - since:.1f} s")
        if strangers := children - shown - zombies - {GUARD.pid}:
            self.problems.append(f"processes {sorted(strangers)} run and are not in the table")
        self._missing = Counter({pid: self._missing[pid] + 1 for pid in shown - children})
        for pid, looks in self._missing.items():
            if looks > GONE_IS_SHOWN:
                self.problems.append(f"process {pid} is in the table, and {looks} looks did not find it")
        for row in self._table:
            if (row.state in LIVE) != bool(row.pid) and row.state != "STUCK":
                self.problems.append(f"{row.name} is {row.state} with process {row.pid}")

    async def _compare_figures(self, supervisor: Supervisor) -> None:
        """What is shown lies between what is true just before the sample and just after it."""
        before = self._truth()
        await supervisor.sample()
        after = self._truth()
        for name in before.keys() & after.keys():
            row, (pid, memory, threads), (pid_after, memory_after, threads_after) = (
                self._table.get(name), before[name], after[name],
            )  # fmt: skip
            if row is None or not pid == pid_after == row.pid:
                continue
            if not min(memory, memory_after) - SLACK <= row.rss_bytes <= max(memory, memory_after) + SLACK:
                self.problems.append(f"{name}: {row.rss_bytes:,} bytes shown, {memory:,} to {memory_after:,} true")
            if not min(threads, threads_after) <= row.threads <= max(threads, threads_after):
                self.problems.append(f"{name}: {row.threads} threads shown, {threads} to {threads_after} true")

    def _truth(self) -> dict[str, tuple[int, int, int]]:
        """(pid, resident bytes, threads) of those that run, by name."""
        found: dict[str, tuple[int, int, int]] = {}
        for row in self._table:
            if row.state != ProcessState.RUNNING:
                continue
            try:
                process = psutil.Process(row.pid)
                figures = (row.pid, process.memory_info().rss, process.num_threads())
            except psutil.Error:
                continue
            if figures[1]:  # one that is ending has no memory any more
                found[row.name] = figures
        return found


def _children() -> set[int]:
    """Of every thread of ours. The system's own list: to read who everybody's parent is would hold up the loop."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in lists for pid in each.read_text().split()}


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and not _is_zombie(pid)


def marked(wanted: str = "") -> list[psutil.Process]:
    """Every process that carries the mark of a console (our own by default), its children's children included."""
    wanted = wanted or mark()
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == wanted and not _is_zombie(process.pid):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
