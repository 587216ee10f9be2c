"""One life of a process: spawn it, watch it until it ends, is stopped, reaches a limit or is given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.domain.incidents import IncidentKind
from engine.processes.channel import Channel
from engine.processes.exits import in_words, is_hopeless
from engine.processes.postmortem import Ending
from engine.processes.specification import ProcessSpec
from engine.processes.speech import Speech
from engine.processes.states import ProcessState
from engine.processes.watchdog import Watchdog

log = logging.getLogger(__name__)

SECOND_LOOK = 0.25
"""Seconds to read what waits in the pipe before a silent child is given up: it may be us who slept."""
STACKS_WAIT = 0.3
Change = Callable[[ProcessState, str], None]


class Life:
    """`change` is called with each new state and why; `on_spawn` with the pid as soon as there is one."""

    def __init__(
        self, spec: ProcessSpec, clock: Clock, speech: Speech, change: Change, on_spawn: Callable[[int], None]
    ) -> None:
        self.channel: Channel | None = None
        self.watchdog = Watchdog(spec, clock.monotonic())
        self._spec = spec
        self._clock = clock
        self._speech = speech
        self._change = change
        self._on_spawn = on_spawn
        self._wake = asyncio.Event()
        self._unwanted = False
        self._runs = False
        self._over_limit = ""

    def look(self) -> None:
        """Something was heard that may change the state."""
        self._wake.set()

    def stop(self) -> None:
        self._unwanted = True
        self._wake.set()

    def recycle(self, reason: str) -> None:
        if self._runs:
            self._over_limit = reason
            self._wake.set()

    async def kill(self) -> None:
        if self.channel is not None:
            await self.channel.kill()

    async def run(self) -> Ending:
        try:
            settings = self._spec.settings()
            self.channel = Channel.spawn(self._spec.arguments, settings, self._speech.hear, self._speech.skipped)
        except PaddockError as error:
            return Ending(kind=IncidentKind.CRASH, reason=error.message, remedy=error.remedy)
        except Exception as error:
            # The settings are computed by whoever owns the process; what is wrong with them a restart does not mend.
            log.exception("the settings of %s cannot be made", self._spec.name)
            return Ending(kind=IncidentKind.CRASH, reason=f"its settings cannot be made: {error}", hopeless=True)
        self._on_spawn(self.channel.pid)
        return await self._watch(self.channel)

    async def _watch(self, channel: Channel) -> Ending:
        while True:
            wake = asyncio.create_task(self._wake.wait())
            await asyncio.wait({channel.exited, wake}, timeout=self._remaining(), return_when=asyncio.FIRST_COMPLETED)
            wake.cancel()
            self._wake.clear()
            if channel.exited.done():
                return self._ending(channel.exited.result())
            if self._unwanted:
                return await self._stop(channel, "stopped", IncidentKind.STOPPED)
            if self.watchdog.is_ready and not self._runs:
                self._runs = True
                self._change(ProcessState.RUNNING, "")
            if self._over_limit:
                return await self._stop(channel, self._over_limit, IncidentKind.LIMIT)
            if self._remaining() <= 0:
                await asyncio.wait({channel.exited}, timeout=SECOND_LOOK)
                if self._remaining() <= 0 and not self._unwanted and not channel.exited.done():
                    return await self._give_up(channel)

    def _remaining(self) -> float:
        return self.watchdog.due()[0] - self._clock.monotonic()

    async def _give_up(self, channel: Channel) -> Ending:
        _, kind, reason = self.watchdog.due()
        self._change(ProcessState.UNRESPONSIVE, reason)
        await channel.dump_stacks(STACKS_WAIT)
        self._change(ProcessState.KILLING, "")
        if not await channel.kill():
            return Ending(kind=IncidentKind.STUCK, reason=f"{reason}, and it cannot be killed")
        return Ending(kind=kind, reason=reason, code=channel.exited.result())

    async def _stop(self, channel: Channel, reason: str, kind: IncidentKind) -> Ending:
        self._change(ProcessState.STOPPING, "" if self._unwanted else reason)
        starting = not self.watchdog.is_ready
        if not await channel.end(self._spec.stop_wait, lambda: self._change(ProcessState.KILLING, ""), starting):
            return Ending(kind=IncidentKind.STUCK, reason="it cannot be killed; the operating system holds it")
        code = channel.exited.result()
        return Ending(kind=kind, reason=f"{reason} ({in_words(code)})", code=code)

    def _ending(self, code: int) -> Ending:
        words = in_words(code)
        error = self._speech.last_error()
        policy = self._spec.restart.when
        done = code == 0 and policy != "always" and self.watchdog.is_stable(self._clock.monotonic())
        said = f"{words}: {error.text.splitlines()[0]}" if error is not None and error.text and code > 0 else words
        if code == 0 and not done:
            said = "it ended by itself" if self.watchdog.is_ready else "it ended before it was ready"
        return Ending(
            kind=IncidentKind.CRASH, reason=said, code=code, hopeless=is_hopeless(code) or policy == "never", done=done
        )
