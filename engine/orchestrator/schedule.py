"""What the engine does again and again, each at its own interval; a work that fails is told once and harms no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from engine.clock import Clock
from engine.domain.errors import PaddockError

log = logging.getLogger(__name__)

LEAST_PAUSE = 0.05
"""Seconds between two runs of a work that takes longer than its interval."""

Work = Callable[[], Awaitable[None]]


class Schedule:
    """`failing` names the works whose last run failed, with the reason."""

    def __init__(self, clock: Clock) -> None:
        self.failing: dict[str, str] = {}
        self._clock = clock
        self._intervals: dict[str, tuple[float, bool]] = {}
        self._works: dict[str, list[Work]] = {}

    def every(self, seconds: float, name: str, *works: Work, at_once: bool = True) -> None:
        """Works that `join` the name later take part, too. Not `at_once`: the first run is after one interval."""
        self._intervals[name] = (seconds, at_once)
        self._works[name] = list(works)

    def join(self, name: str, work: Work) -> None:
        self._works[name].append(work)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, (seconds, at_once) in self._intervals.items():
                group.create_task(self._repeat(name, seconds, at_once), name=name)

    async def _repeat(self, name: str, seconds: float, at_once: bool) -> None:
        if not at_once:
            await asyncio.sleep(seconds)
        while True:
            started = self._clock.monotonic()
            failures = [error for work in self._works[name] if (error := await _failure(work)) is not None]
            self._note(name, failures[0] if failures else None)
            await asyncio.sleep(max(seconds - (self._clock.monotonic() - started), LEAST_PAUSE))

    def _note(self, name: str, error: Exception | None) -> None:
        """Told once for each new reason, not every two seconds."""
        if error is None:
            if self.failing.pop(name, None):
                log.info("%s: works again", name)
            return
        reason = error.message if isinstance(error, PaddockError) else f"{type(error).__name__}: {error}"
        if self.failing.get(name) != reason:
            self.failing[name] = reason
            log.warning("%s: %s", name, reason, exc_info=error)


async def _failure(work: Work) -> Exception | None:
    try:
        await work()
    except Exception as error:
        return error
    return None
