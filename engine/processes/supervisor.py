"""The supervisor: every child process of the engine by name, started in order, stopped together, sampled each second."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from engine.clock import Clock
from engine.control import LogLine
from engine.domain.errors import ConfigurationError, UnavailableError
from engine.processes.events import ProcessEvent
from engine.processes.sampling import Sampler
from engine.processes.specification import ProcessSpec
from engine.processes.states import ProcessState
from engine.processes.unit import Unit
from engine.views import ProcessRow, ProcessSample, Table

log = logging.getLogger(__name__)

SAMPLE_EVERY = 1.0
AT_REST = (ProcessState.STOPPED, ProcessState.EXITED, ProcessState.FATAL, ProcessState.STUCK)


class Supervisor:
    """Lives on one event loop. `on_event` is called on it and must not block."""

    def __init__(
        self,
        table: Table[ProcessRow],
        clock: Clock,
        *,
        log_folder: Path | None,
        on_event: Callable[[ProcessEvent], None],
        seed: int | None = None,
    ) -> None:
        self._table = table
        self._clock = clock
        self._log_folder = log_folder
        self._on_event = on_event
        self._chance = random.Random(seed)
        self._units: dict[str, Unit] = {}
        self._sampler = Sampler()
        self._sampling: asyncio.Task[None] | None = None

    def add(self, spec: ProcessSpec) -> None:
        if spec.name in self._units:
            raise ConfigurationError(f"There are two processes named {spec.name}.", "Give each a name of its own.")
        self._units[spec.name] = Unit(spec, self._table, self._clock, self._chance, self._log_folder, self._on_event)

    async def remove(self, name: str) -> None:
        await self._unit(name).stop()
        self._units.pop(name).close()
        self._table.remove(name)

    async def start(self, names: Iterable[str]) -> None:
        """Returns at once; the state is in the table. Raises ConfigurationError for a name that is not there."""
        for unit in [self._unit(name) for name in names]:
            unit.start()
        self._ensure_sampling()

    async def stop(self, names: Iterable[str]) -> None:
        """Returns when they are gone, all being stopped at the same time."""
        await asyncio.gather(*(unit.stop() for unit in [self._unit(name) for name in names]))

    async def restart(self, names: Iterable[str]) -> None:
        await asyncio.gather(*(unit.restart() for unit in [self._unit(name) for name in names]))
        self._ensure_sampling()

    async def start_all(self, names: Collection[str] | None = None) -> None:
        """Each as soon as those it depends on run; returns when all have been started.

        Raises UnavailableError with its last words when one that others need cannot start.
        """
        chosen = [self._unit(name) for name in (self._units if names is None else names)]
        await asyncio.gather(*(self._start_after(unit) for unit in chosen))

    async def stop_all(self, deadline: float = 4.0) -> None:
        """Those that others depend on last, so that nothing is said into the void.

        After `deadline` seconds whatever still lives is killed: closing the window must not take for ever.
        """
        stopping = asyncio.create_task(self._stop_in_order(), name="stop-all")
        done, _ = await asyncio.wait({stopping}, timeout=deadline)
        if not done:
            await asyncio.gather(*(unit.kill() for unit in self._units.values()))
        await stopping
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
        for unit in self._units.values():
            unit.close()

    async def _stop_in_order(self) -> None:
        remaining = dict(self._units)
        while remaining:
            needed = {name for unit in remaining.values() for name in unit.spec.depends_on}
            layer = [name for name in remaining if name not in needed] or list(remaining)
            await self.stop(layer)
            for name in layer:
                del remaining[name]

    async def wait_state(self, name: str, states: Sequence[ProcessState], timeout: float) -> ProcessState:
        """Raises TimeoutError."""
        unit = self._unit(name)
        async with asyncio.timeout(timeout):
            while unit.state not in states:
                await unit.changed.wait()
        return unit.state

    def state(self, name: str) -> ProcessState:
        return self._unit(name).state

    def detail(self, name: str) -> str:
        return self._unit(name).detail

    def log(self, name: str, after: int = 0) -> list[LogLine]:
        return self._unit(name).speech.lines(after)

    def history(self, name: str) -> list[ProcessSample]:
        """Its figures of the last hour, oldest first."""
        return self._unit(name).history.samples()

    @property
    def names(self) -> list[str]:
        return list(self._units)

    def _unit(self, name: str) -> Unit:
        unit = self._units.get(name)
        if unit is None:
            raise ConfigurationError(f"There is no process named {name}.", f"There are {', '.join(self._units)}.")
        return unit

    async def _start_after(self, unit: Unit) -> None:
        for name in unit.spec.depends_on:
            needed = self._unit(name)
            try:
                state = await self.wait_state(
                    name, (ProcessState.RUNNING, ProcessState.FATAL), needed.spec.ready_timeout * 2
                )
            except TimeoutError:
                state = needed.state
            if state is not ProcessState.RUNNING:
                why = needed.row.last_exit or f"it is {state}"
                raise UnavailableError(f"{name} did not start: {why}", "See its log under Processes.")
        await self.start([unit.spec.name])

    def _ensure_sampling(self) -> None:
        if self._sampling is None or self._sampling.done():
            self._sampling = asyncio.create_task(self._sample(), name="process-sampling")

    async def _sample(self) -> None:
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_EVERY)

    async def sample(self) -> None:
        """Read the figures of every process now."""
        units = {unit.row.pid: unit for unit in self._units.values() if unit.row.pid}
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, self._sampler.sample, list(units))
        for pid, unit in units.items():
            sample = found.get(pid)
            if sample is not None and unit.row.pid == pid:
                unit.row.cpu_percent = sample.cpu_percent
                unit.row.rss_bytes = sample.rss_bytes
                unit.row.threads = sample.threads
                unit.history.add(
                    ProcessSample(self._clock.monotonic(), sample.cpu_percent, sample.rss_bytes, unit.row.progress_rate)
                )
                unit.publish()
