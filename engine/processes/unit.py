"""One supervised process: the state machine that starts it, watches it, brings it back and stops it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import msgspec

from engine.clock import Clock
from engine.domain.incidents import IncidentKind
from engine.processes.backoff import Backoff
from engine.processes.channel import Channel
from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.gauge import Gauge
from engine.processes.life import Life
from engine.processes.log_files import LogFiles
from engine.processes.postmortem import Ending, system_kills, write_card
from engine.processes.sampling import Sample
from engine.processes.specification import ProcessSpec
from engine.processes.speech import Speech
from engine.processes.states import ProcessState, may_follow
from engine.tables import Table
from engine.views import ProcessRow

log = logging.getLogger(__name__)

_S = ProcessState
_LEVELS = {_S.FATAL: "error", _S.STUCK: "error"} | dict.fromkeys((_S.BACKOFF, _S.UNRESPONSIVE, _S.KILLING), "warning")
"""Of the line in the process's log that tells of the state, so that who looks for errors finds it."""


class Unit:
    """`start`, `stop` and `restart` may be called at any time and in any order; a stop wins over what came before."""

    def __init__(
        self,
        spec: ProcessSpec,
        table: Table[ProcessRow],
        clock: Clock,
        chance: random.Random,
        files: LogFiles | None,
        on_event: Callable[[ProcessEvent], None],
        on_spawn: Callable[[], None],
    ) -> None:
        self.spec = spec
        self.state = ProcessState.STOPPED
        self.changed = asyncio.Event()
        """Set at each change of state, and replaced by a new one."""
        self.row = ProcessRow(
            name=spec.name, group=spec.group, kind=spec.kind, state=self.state.value, critical=spec.critical
        )
        self.row.restarts_left = spec.restart.budget
        self.speech = Speech(spec.name, clock, files, on_event, self._on_pulse)
        self.gauge = Gauge(spec, self.row)
        self._table = table
        self._clock = clock
        self._on_event = on_event
        self._on_spawn = on_spawn
        self._wanted = False
        self._again = False
        self._stops = 0
        self._wake = asyncio.Event()
        self._life: Life | None = None
        self._lives: asyncio.Task[None] | None = None
        self._backoff = Backoff(spec.restart, chance)
        self._recycling = Backoff(spec.restart, chance)
        self._system_kills = 0
        self.publish()

    @property
    def detail(self) -> str:
        return self.row.detail

    def start(self) -> None:
        if self._lives is not None and not self._lives.done():
            self._again = not self._wanted  # on its way down: it comes up again after that
            if self.state is ProcessState.BACKOFF:
                self._wake.set()
            return
        self._wanted = True
        self._again = False
        self._backoff.reset()
        self._recycling.reset()
        self._lives = asyncio.create_task(self._guarded(), name=f"unit-{self.spec.name}")
        self._lives.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Returns when the process is gone, or STUCK."""
        self._unwant()
        self._stops += 1
        if self._lives is not None:
            await asyncio.wait({self._lives})
        if self.state is ProcessState.FATAL:
            self._change(ProcessState.STOPPED)

    async def kill(self) -> None:
        """For when there is no more time; call `stop` as well, which sees to the state."""
        self._unwant()
        if self._life is not None:
            await self._life.kill()

    async def restart(self) -> None:
        """Stop, then start, unless somebody asks for a stop in between."""
        stops = self._stops + 1
        await self.stop()
        if stops == self._stops:
            self.row.restarts += 1
            self.start()

    def sampled(self, sample: Sample) -> None:
        """Take the figures of this second; over a limit, it is stopped and started."""
        over = self.gauge.take(sample, self._clock.monotonic())
        self.row.restarts_left = self._backoff.left(self._clock.monotonic())
        if over and self._life is not None:
            self._life.recycle(over)
        self.publish()

    def publish(self) -> None:
        self._table.put(self.spec.name, msgspec.structs.replace(self.row))

    def _unwant(self) -> None:
        self._wanted = self._again = False
        self._wake.set()
        if self._life is not None:
            self._life.stop()

    def _ended(self, lives: asyncio.Task[None]) -> None:
        if self._again:
            self.start()

    async def _guarded(self) -> None:
        """A fault of ours must neither pass in silence nor leave a child that nobody watches."""
        try:
            await self._live()
        except Exception:
            log.exception("%s can no longer be supervised", self.spec.name)
            if self._life is not None:
                await self._life.kill()
                self._life = None
            self.state = ProcessState.FATAL
            self.row.state, self.row.pid = self.state.value, 0
            self.row.last_exit = "the supervisor failed; see the log of the console"
            self._show()

    async def _live(self) -> None:
        while self._wanted:
            self._system_kills = system_kills()
            started = self._clock.monotonic()
            ending = await self._one_life()
            self.gauge.gone()
            if self.state is ProcessState.STUCK:
                self._report(ending, self._clock.monotonic() - started)
                return
            self._gone()
            self.row.last_exit = ending.reason
            if not await self._after(ending, self._clock.monotonic() - started):
                return

    async def _after(self, ending: Ending, lived: float) -> bool:
        """Whether another life follows; returns when it is time for it."""
        if not self._wanted:
            self._change(ProcessState.STOPPED)
            return False
        if ending.kind is IncidentKind.LIMIT:
            return self._recycle(ending, lived)
        if ending.done:
            self._change(ProcessState.EXITED, ending.reason)
            return False
        return await self._back_off(ending, lived)

    async def _one_life(self) -> Ending:
        self.speech.born()
        self.gauge.born()
        self._change(ProcessState.STARTING)
        self._wake.clear()
        self._life = life = Life(self.spec, self._clock, self.speech, self._change, self._spawned)
        ending = await life.run()
        self._life = None
        if ending.kind is IncidentKind.STUCK and life.channel is not None:
            self._stuck(life.channel, ending.reason)
        return ending

    def _spawned(self, pid: int) -> None:
        self.row.pid = pid
        self.row.started_at = self._clock.monotonic()
        self.publish()
        self._on_spawn()

    def _gone(self) -> None:
        """What a dead process said of itself is no longer true."""
        row = self.row
        row.pid, row.started_at, row.detail = 0, 0.0, ""
        row.progress, row.last_progress, row.last_heartbeat = 0, 0.0, 0.0

    def _stuck(self, channel: Channel, reason: str) -> None:
        """Nobody waits for it; when the system lets it go after all, it is stopped."""
        self._change(ProcessState.STUCK, reason, "Restart this computer when it does not go away by itself.")
        self.row.last_exit = reason
        channel.exited.add_done_callback(self._released)

    def _released(self, exited: asyncio.Task[int]) -> None:
        if self.state is ProcessState.STUCK and not exited.cancelled():
            self._gone()
            self._change(ProcessState.STOPPED, "the operating system has let it go")

    async def _back_off(self, ending: Ending, lived: float) -> bool:
        """Wait before the next life; False when there is none."""
        delay = self._backoff.failed(self._clock.monotonic(), lived)
        self.row.restarts_left = self._backoff.left(self._clock.monotonic())
        if ending.hopeless or self._backoff.spent:
            often = f", {self._backoff.failures} times in {self.spec.restart.window:g} s"
            self._fatal(ending, ending.reason if ending.hopeless else ending.reason + often, lived)
            return False
        self._change(ProcessState.BACKOFF, ending.reason, ending.remedy)
        self._report(ending, lived)
        wake = asyncio.create_task(self._wake.wait())
        await asyncio.wait({wake}, timeout=delay)
        wake.cancel()
        if not self._wanted:
            self._change(ProcessState.STOPPED)
            return False
        self.row.restarts += 1
        return True

    def _recycle(self, ending: Ending, lived: float) -> bool:
        """No crash, so the next life follows at once; a limit that is reached again and again is too low."""
        self._recycling.failed(self._clock.monotonic(), lived)
        if self._recycling.spent:
            often = f", {self._recycling.failures} times in {self.spec.restart.window:g} s"
            self._fatal(ending, ending.reason + often, lived)
            return False
        self.row.recycles += 1
        self._change(ProcessState.STOPPED, ending.reason)
        self._report(ending, lived)
        return True

    def _fatal(self, ending: Ending, reason: str, lived: float) -> None:
        self._change(ProcessState.FATAL, reason, ending.remedy or "Mend the cause, then start it.")
        self._report(ending, lived)

    def _report(self, ending: Ending, lived: float) -> None:
        self._on_event(
            write_card(
                self.spec,
                self.speech,
                self.gauge,
                ending,
                now=self._clock.now(),
                died=self._clock.monotonic(),
                state=self.state.value,
                lived=lived,
                restarts_left=self._backoff.left(self._clock.monotonic()),
                system_killed=system_kills() - self._system_kills,
            )
        )

    def _on_pulse(self, kind: str, said: dict[str, Any]) -> None:
        if self._life is None:
            return
        row, watchdog = self.row, self._life.watchdog
        watchdog.hear(kind, said, self._clock.monotonic())
        detail = said.get("detail")
        if isinstance(detail, str) and detail:
            row.detail = detail
        row.last_heartbeat, row.last_progress = watchdog.last_sign, watchdog.last_progress
        row.progress, row.progress_rate = watchdog.progress, watchdog.rate
        if kind == "ready":
            self._life.look()

    def _change(self, new: ProcessState, reason: str = "", remedy: str = "") -> None:
        old = self.state
        if old is new:
            return
        if not may_follow(old, new):
            raise RuntimeError(f"{self.spec.name}: {new} cannot follow {old}")
        self.state = new
        self.row.state = new.value
        self.speech.note(_LEVELS.get(new, "info"), "supervisor", f"{old} → {new}{': ' + reason if reason else ''}")
        self._show()
        unexpected = new in {ProcessState.BACKOFF, ProcessState.FATAL, ProcessState.STUCK}
        tail = self.speech.tail() if unexpected else ""
        self._on_event(StateChanged(name=self.spec.name, old=old, new=new, reason=reason, remedy=remedy, tail=tail))

    def _show(self) -> None:
        self.publish()
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
