"""One supervised process: the state machine that starts it, watches it, brings it back and stops it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.processes.backoff import Backoff
from engine.processes.channel import Channel, in_words, is_hopeless
from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.history import SampleHistory
from engine.processes.specification import ProcessSpec
from engine.processes.speech import Speech
from engine.processes.states import ProcessState, may_follow
from engine.views import ProcessRow, Table

log = logging.getLogger(__name__)

SECOND_LOOK = 0.25
"""Seconds to read what waits in the pipe before a silent child is given up: it may be us who slept."""
STACKS_WAIT = 0.3


class Ending(msgspec.Struct, frozen=True):
    """How one life of the process ended."""

    reason: str
    hopeless: bool = False
    done: bool = False
    remedy: str = ""


class Unit:
    """`start`, `stop` and `restart` may be called at any time and in any order; a stop wins over what came before."""

    def __init__(
        self,
        spec: ProcessSpec,
        table: Table[ProcessRow],
        clock: Clock,
        chance: random.Random,
        log_folder: Path | None,
        on_event: Callable[[ProcessEvent], None],
    ) -> None:
        self.spec = spec
        self.state = ProcessState.STOPPED
        self.changed = asyncio.Event()
        """Set at each change of state, and replaced by a new one."""
        self.row = ProcessRow(
            name=spec.name, group=spec.group, kind=spec.kind, state=self.state.value, critical=spec.critical
        )
        self.speech = Speech(spec.name, clock, log_folder, on_event, self._on_pulse)
        self.history = SampleHistory()
        self.channel: Channel | None = None
        self._table = table
        self._clock = clock
        self._on_event = on_event
        self._wanted = False
        self._again = False
        self._stops = 0
        self._wake = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._backoff = Backoff(spec.restart, chance)
        self._ready = False
        self._last_sign = 0.0
        self._progress_at = 0.0
        self.publish()

    @property
    def detail(self) -> str:
        return self.row.detail

    def start(self) -> None:
        if self._life is not None and not self._life.done():
            self._again = not self._wanted  # on its way down: it comes up again after that
            if self.state is ProcessState.BACKOFF:
                self._wake.set()
            return
        self._wanted = True
        self._again = False
        self._backoff.reset()
        self._life = asyncio.create_task(self._guarded(), name=f"unit-{self.spec.name}")
        self._life.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Returns when the process is gone, or STUCK."""
        self._wanted = False
        self._again = False
        self._stops += 1
        self._wake.set()
        if self._life is not None:
            await asyncio.wait({self._life})
        if self.state is ProcessState.FATAL:
            self._change(ProcessState.STOPPED)

    async def kill(self) -> None:
        """For when there is no more time; call `stop` as well, which sees to the state."""
        self._wanted = self._again = False
        self._wake.set()
        if self.channel is not None:
            await self.channel.kill()

    async def restart(self) -> None:
        """Stop, then start, unless somebody asks for a stop in between."""
        stops = self._stops + 1
        await self.stop()
        if stops == self._stops:
            self.row.restarts += 1
            self.start()

    def publish(self) -> None:
        self._table.put(self.spec.name, msgspec.structs.replace(self.row))

    def close(self) -> None:
        self.speech.close()

    def _ended(self, life: asyncio.Task[None]) -> None:
        if self._again:
            self.start()

    async def _guarded(self) -> None:
        """A fault of ours must neither pass in silence nor leave a child that nobody watches."""
        try:
            await self._live()
        except Exception:
            log.exception("%s can no longer be supervised", self.spec.name)
            if self.channel is not None:
                await self.channel.kill()
                self.channel = None
            self.state = ProcessState.FATAL
            self.row.state, self.row.pid = self.state.value, 0
            self.row.last_exit = "the supervisor failed; see the log of the console"
            self._show()

    async def _live(self) -> None:
        while self._wanted:
            started = self._clock.monotonic()
            ending = await self._one_life()
            self.row.pid, self.row.started_at, self.row.cpu_percent = 0, 0.0, 0.0
            self.row.rss_bytes, self.row.threads = 0, 0
            if self.state is ProcessState.STUCK or not self._wanted:
                self._settle()
                return
            if ending.done:
                self.row.last_exit = ending.reason
                self._change(ProcessState.EXITED, ending.reason)
                return
            if not await self._back_off(ending, self._clock.monotonic() - started):
                return

    async def _one_life(self) -> Ending:
        self._wake.clear()
        self._ready = False
        self._change(ProcessState.STARTING)
        self._last_sign = self._clock.monotonic()
        try:
            settings = self.spec.settings()
            self.channel = await Channel.spawn(self.spec.arguments, settings, self.speech.hear)
        except PaddockError as error:
            return Ending(error.message, remedy=error.remedy)
        except Exception as error:
            # The settings are computed by whoever owns the process; what is wrong with them a restart does not mend.
            log.exception("the settings of %s cannot be made", self.spec.name)
            return Ending(f"its settings cannot be made: {error}", hopeless=True)
        self.row.pid = self.channel.pid
        self.row.started_at = self._clock.monotonic()
        self.publish()
        ending = await self._watch(self.channel)
        self.channel = None
        return ending

    async def _watch(self, channel: Channel) -> Ending:
        while True:
            wake = asyncio.create_task(self._wake.wait())
            await asyncio.wait(
                {channel.exited, wake}, timeout=self._until_deadline(), return_when=asyncio.FIRST_COMPLETED
            )
            wake.cancel()
            self._wake.clear()
            if channel.exited.done():
                return self._ending(channel.exited.result())
            if not self._wanted:
                return await self._stop(channel)
            if self._ready and self.state is ProcessState.STARTING:
                self._change(ProcessState.RUNNING)
            if self._until_deadline() <= 0:
                await asyncio.wait({channel.exited}, timeout=SECOND_LOOK)
                if self._until_deadline() <= 0 and self._wanted and not channel.exited.done():
                    return await self._give_up(channel)

    def _until_deadline(self) -> float:
        limit = self.spec.heartbeat_timeout if self._ready else self.spec.ready_timeout
        since = self._last_sign if self._ready else self.row.started_at
        return since + limit - self._clock.monotonic()

    async def _give_up(self, channel: Channel) -> Ending:
        limit = self.spec.heartbeat_timeout if self._ready else self.spec.ready_timeout
        reason = f"no sign of life for {limit:g} s" if self._ready else f"not ready within {limit:g} s"
        self._change(ProcessState.UNRESPONSIVE, reason)
        await channel.dump_stacks(STACKS_WAIT)
        self._change(ProcessState.KILLING)
        if not await channel.kill():
            self._change(ProcessState.STUCK, f"{reason}, and it cannot be killed")
        return Ending(reason)

    async def _stop(self, channel: Channel) -> Ending:
        self._change(ProcessState.STOPPING)
        if not await channel.end(self.spec.stop_wait, lambda: self._change(ProcessState.KILLING)):
            self._change(ProcessState.STUCK, "it cannot be killed; the operating system holds it")
            return Ending("stuck")
        self.row.last_exit = f"stopped ({in_words(channel.exited.result())})"
        return Ending("stopped")

    def _ending(self, code: int) -> Ending:
        words = in_words(code)
        error = self.speech.last_error()
        said = f"{words}: {error.text.splitlines()[0]}" if error is not None and code > 0 else words
        return Ending(said, hopeless=is_hopeless(code), done=code == 0)

    async def _back_off(self, ending: Ending, lived: float) -> bool:
        """Wait before the next life; False when there is none."""
        self.row.last_exit = ending.reason
        delay = self._backoff.failed(self._clock.monotonic(), lived)
        if ending.hopeless or self._backoff.spent:
            often = f", {self._backoff.failures} times in {self.spec.restart.window:g} s"
            reason = ending.reason if ending.hopeless else ending.reason + often
            self._change(ProcessState.FATAL, reason, ending.remedy or "Mend the cause, then start it.")
            return False
        self._change(ProcessState.BACKOFF, ending.reason, ending.remedy)
        wake = asyncio.create_task(self._wake.wait())
        await asyncio.wait({wake}, timeout=delay)
        wake.cancel()
        if not self._wanted:
            self._settle()
            return False
        self.row.restarts += 1
        return True

    def _settle(self) -> None:
        if self.state is not ProcessState.STUCK:
            self._change(ProcessState.STOPPED)

    def _on_pulse(self, kind: str, said: dict[str, Any]) -> None:
        now = self._clock.monotonic()
        self._last_sign = self.row.last_heartbeat = now
        detail = said.get("detail")
        if isinstance(detail, str) and detail:
            self.row.detail = detail
        if kind == "ready":
            self._ready = True
            self._wake.set()
            return
        progress = said.get("progress")
        if isinstance(progress, int):
            self._count(progress, now)

    def _count(self, progress: int, now: float) -> None:
        elapsed = now - self._progress_at
        if 0 < elapsed < 60 and progress >= self.row.progress:
            self.row.progress_rate = (progress - self.row.progress) / elapsed
        if progress != self.row.progress:
            self.row.last_progress = now
        self.row.progress, self._progress_at = progress, now

    def _change(self, new: ProcessState, reason: str = "", remedy: str = "") -> None:
        old = self.state
        if old is new:
            return
        if not may_follow(old, new):
            raise RuntimeError(f"{self.spec.name}: {new} cannot follow {old}")
        self.state = new
        self.row.state = new.value
        self.speech.note("info", "supervisor", f"{old} → {new}{': ' + reason if reason else ''}")
        self._show()
        unexpected = new in {ProcessState.BACKOFF, ProcessState.FATAL, ProcessState.STUCK}
        tail = self.speech.tail() if unexpected else ""
        self._on_event(StateChanged(name=self.spec.name, old=old, new=new, reason=reason, remedy=remedy, tail=tail))

    def _show(self) -> None:
        self.publish()
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()
