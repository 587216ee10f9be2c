"""The supervisor: every child process of the engine by name, started in order, stopped together, sampled each second."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from engine.clock import Clock
from engine.control import LogLine
from engine.domain.errors import ConfigurationError, PaddockError, UnavailableError
from engine.processes.events import ProcessEvent
from engine.processes.guard import GUARD
from engine.processes.log_files import LogFiles
from engine.processes.order import layers
from engine.processes.registry import ChildRegistry
from engine.processes.roll_call import RollCall
from engine.processes.sampling import Sampler
from engine.processes.specification import ProcessSpec
from engine.processes.states import ProcessState
from engine.processes.unit import Unit
from engine.tables import Table
from engine.views import ProcessRow, ProcessSample

log = logging.getLogger(__name__)

SAMPLE_EVERY = 1.0


class Supervisor:
    """Lives on one event loop. `on_event` is called on it and must not block.

    Starting goes in the order of dependency and stopping in the reverse of it. Stopping or restarting a process leaves
    those that depend on it alone: every worker connects again by itself when the hub or the exchange is back, and
    restarting bots would throw away what they have learned of the day.
    """

    def __init__(
        self,
        table: Table[ProcessRow],
        clock: Clock,
        *,
        log_folder: Path | None,
        on_event: Callable[[ProcessEvent], None],
        seed: int | None = None,
        registry: ChildRegistry | None = None,
    ) -> None:
        self._table = table
        self._clock = clock
        self._files = LogFiles(log_folder) if log_folder is not None else None
        self._on_event = on_event
        self._chance = random.Random(seed)
        self._units: dict[str, Unit] = {}
        self._sampler = Sampler()
        self._sampling: asyncio.Task[None] | None = None
        self._sampling_now = asyncio.Lock()
        self._starting: set[asyncio.Task[None]] = set()
        self._roll_call = RollCall(registry, self._pids)

    def add(self, spec: ProcessSpec) -> None:
        if spec.name in self._units:
            raise ConfigurationError(f"There are two processes named {spec.name}.", "Give each a name of its own.")
        self._units[spec.name] = Unit(
            spec, self._table, self._clock, self._chance, self._files, self._on_event, self._roll_call.call
        )

    async def remove(self, name: str) -> None:
        await self._unit(name).stop()
        del self._units[name]
        self._table.remove(name)

    async def start(self, names: Iterable[str]) -> None:
        """Returns at once; the state is in the table. Of several, each waits for those among them that it depends on.

        Raises ConfigurationError for a name that is not there, or for dependencies in a circle.
        """
        first, *rest = self._layers(names) or [[]]
        await self._prepare()
        for name in first:
            self._unit(name).start()
        if rest:
            task = asyncio.create_task(self._start_later([name for layer in rest for name in layer]), name="start")
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
        self._ensure_sampling()

    async def stop(self, names: Iterable[str]) -> None:
        """Returns when they are gone: first those that depend on others, and within a layer all at the same time."""
        await self._stop_layers(self._layers(names))

    async def restart(self, names: Iterable[str]) -> None:
        """One after another in the order of dependency, each when the one before runs again, so that not all are away
        at the same time; returns when the last has been started.

        Raises UnavailableError when one does not come back; those after it are left as they are.
        """
        chosen = [name for layer in self._layers(names) for name in layer]
        await self._prepare()
        for number, name in enumerate(chosen, 1):
            await self._unit(name).restart()
            self._ensure_sampling()
            if number < len(chosen):
                await self._back_again(name, chosen[number:])

    async def start_all(self, names: Collection[str] | None = None) -> None:
        """Each with autostart, as soon as those it depends on run; returns when all have been started.

        Raises UnavailableError with its last words when one that others need cannot start.
        """
        units = [self._unit(name) for name in (self._units if names is None else names)]
        self._layers(unit.spec.name for unit in units)
        await self._prepare()
        await asyncio.gather(*(self._start_after(unit) for unit in units if unit.spec.autostart))

    async def stop_all(self, deadline: float = 4.0) -> None:
        """Those that others depend on last, so that nothing is said into the void.

        After `deadline` seconds whatever still lives is killed: closing the window must not take for ever.
        """
        stopping = asyncio.create_task(self._stop_in_order(), name="stop-all")
        done, _ = await asyncio.wait({stopping}, timeout=deadline)
        if not done:
            await asyncio.gather(*(unit.kill() for unit in self._units.values()))
        await stopping
        background = [*self._starting, *([self._sampling] if self._sampling is not None else [])]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._roll_call.close()
        if self._files is not None:
            await asyncio.to_thread(self._files.close)

    async def _stop_in_order(self) -> None:
        for task in self._starting:
            task.cancel()
        await self._stop_layers(self._layers(self._units))

    async def _stop_layers(self, layers: Sequence[Sequence[str]]) -> None:
        for layer in reversed(layers):
            await asyncio.gather(*(self._unit(name).stop() for name in layer))

    def _layers(self, names: Iterable[str]) -> list[list[str]]:
        chosen = [self._unit(name).spec.name for name in names]
        return layers(chosen, {name: self._units[name].spec.depends_on for name in chosen})

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
        return self._unit(name).gauge.history.samples()

    @property
    def names(self) -> list[str]:
        return list(self._units)

    def _unit(self, name: str) -> Unit:
        unit = self._units.get(name)
        if unit is None:
            raise ConfigurationError(f"There is no process named {name}.", f"There are {', '.join(self._units)}.")
        return unit

    async def _prepare(self) -> None:
        """Before the first child runs, it is seen to that none outlives us: whatever the moment of our end."""
        GUARD.ensure()
        await self._roll_call.open()

    async def _start_after(self, unit: Unit) -> None:
        for name in unit.spec.depends_on:
            needed = self._unit(name)
            state = await self._started(name)
            if state is not ProcessState.RUNNING:
                why = needed.row.last_exit or f"it is {state}"
                raise UnavailableError(f"{name} did not start: {why}", "See its log under Processes.")
        unit.start()
        self._ensure_sampling()

    async def _start_later(self, names: Sequence[str]) -> None:
        """Why one cannot start is told; the others do not wait for it."""
        for said in await asyncio.gather(
            *(self._start_after(self._unit(name)) for name in names), return_exceptions=True
        ):
            if isinstance(said, PaddockError):
                log.warning("%s", said.message, extra={"remedy": said.remedy})

    async def _back_again(self, name: str, others: Sequence[str]) -> None:
        state = await self._started(name)
        if state is not ProcessState.RUNNING:
            raise UnavailableError(
                f"{name} did not come back: {self._unit(name).row.last_exit or f'it is {state}'}.",
                f"{', '.join(others)} run on as before. See its log under Processes.",
            )

    async def _started(self, name: str) -> ProcessState:
        """Its state when it runs, or will not, or has had the time for two attempts."""
        settled = (ProcessState.RUNNING, ProcessState.FATAL, ProcessState.STUCK)
        try:
            return await self.wait_state(name, settled, self._unit(name).spec.ready_timeout * 2)
        except TimeoutError:
            return self._unit(name).state

    def _ensure_sampling(self) -> None:
        if self._sampling is None or self._sampling.done():
            self._sampling = asyncio.create_task(self._sample(), name="process-sampling")

    async def _sample(self) -> None:
        while True:
            await self.sample()
            GUARD.ensure()
            await asyncio.sleep(SAMPLE_EVERY)

    async def sample(self) -> None:
        """Read the figures of every process now, in one pass and off the loop."""
        async with self._sampling_now:
            units = {unit.row.pid: unit for unit in self._units.values() if unit.row.pid}
            found = await asyncio.get_running_loop().run_in_executor(None, self._sampler.sample, list(units))
        for pid, unit in units.items():
            sample = found.get(pid)
            if sample is not None and unit.row.pid == pid:
                unit.sampled(sample)

    def _pids(self) -> dict[str, int]:
        return {unit.spec.name: unit.row.pid for unit in self._units.values() if unit.row.pid}
