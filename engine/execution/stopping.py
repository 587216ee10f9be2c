"""The emergency stop as a person meets it: what is known within seconds, and no end before the venue has confirmed it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from engine.control import EmergencyReport
from engine.execution.alarms import Alarms
from engine.execution.emergency import EmergencyStop

AGAIN = 5.0
"""Seconds between the end of one attempt and the next."""


class Stopping:
    """`make` gives a fresh attempt; `is_halted` turns false when a person lets trading go on: then it is given up."""

    def __init__(
        self,
        make: Callable[[], EmergencyStop],
        is_halted: Callable[[], bool],
        alarms: Alarms,
        spawn: Callable[[Coroutine[Any, Any, object], str], asyncio.Task[Any]],
    ) -> None:
        self._make = make
        self._is_halted = is_halted
        self._alarms = alarms
        self._spawn = spawn
        self._attempt: EmergencyStop | None = None
        self._last: EmergencyReport | None = None
        self._told = False
        """People were told that it is not confirmed; they are told how it ends, too."""

    @property
    def report(self) -> EmergencyReport | None:
        """Of the newest stop: its last word, or what is known so far; None before the first."""
        return self._attempt.so_far() if self._attempt is not None else self._last

    async def once(self, flatten: bool) -> EmergencyReport:
        """One attempt, to its own end. Never raises for what the venue does: that is in the report."""
        return await self._make().run(flatten)

    async def insist(self, flatten: bool, patience: float) -> EmergencyReport:
        """What is known after `patience` seconds at most; unless it is final, it is tried on in the background."""
        insisting = self._spawn(self._until_confirmed(flatten), "emergency stop")
        await asyncio.wait({insisting}, timeout=patience)
        if not insisting.done():
            self._told = True
            self._alarms.not_stopped()
        found = self.report
        return found if found is not None else await insisting

    async def _until_confirmed(self, flatten: bool) -> EmergencyReport:
        self._attempt = mine = self._make()
        report = await mine.run(flatten)
        while not report.final and self._is_halted() and self._attempt is mine:
            await asyncio.sleep(AGAIN)
            if not self._is_halted() or self._attempt is not mine:
                break
            self._attempt = mine = self._make()
            report = await mine.run(flatten)
        if self._attempt is mine:
            self._attempt, self._last = None, _closed(report)
            if self._told:
                self._told = False
                self._alarms.stopped(self._last)
        return report


def _closed(report: EmergencyReport) -> EmergencyReport:
    """The last word: nothing is tried any more, whether it was confirmed or trading was let go on."""
    if report.final:
        return report
    return EmergencyReport(
        flat=False,
        text=f"GIVEN UP, because trading was activated. {report.text}",
        steps=report.steps,
        open_orders=report.open_orders,
        open_positions=report.open_positions,
        milliseconds=report.milliseconds,
    )
