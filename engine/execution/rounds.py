"""Rounds of comparing with the venue, one at a time, and what follows from what they find: alerts, cancels, adoption."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from engine.execution.adoption import Adoption
from engine.execution.alarms import Alarms
from engine.execution.cancels import Cancels
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Findings, Reconciler

log = logging.getLogger(__name__)

CONFIRM_AGAIN = 5.0
"""Seconds after which positions that differ are looked at again."""


class Rounds:
    """Each raises UnavailableError or CredentialsError when the venue cannot be asked."""

    def __init__(
        self,
        ledger: Ledger,
        reconciler: Reconciler,
        cancels: Cancels,
        adoption: Adoption,
        alarms: Alarms,
        spawn: Callable[[Coroutine[Any, Any, object], str], object],
    ) -> None:
        self._ledger = ledger
        self._reconciler = reconciler
        self._cancels = cancels
        self._adoption = adoption
        self._alarms = alarms
        self._spawn = spawn
        self._one_at_a_time = asyncio.Lock()
        self._confirming = False

    async def all(self, reason: str) -> None:
        async with self._one_at_a_time:
            log.info("reconciling with the venue: %s", reason)
            self._report(await self._reconciler.orders())
            self._report(await self._reconciler.positions())

    async def orders(self) -> None:
        async with self._one_at_a_time:
            self._report(await self._reconciler.orders())

    async def positions(self) -> None:
        async with self._one_at_a_time:
            self._report(await self._reconciler.positions())

    def _report(self, findings: Findings) -> None:
        self._alarms.found(findings)
        if self._reconciler.has_suspicions and not self._confirming:
            self._confirming = True
            self._spawn(self._confirm(), "confirm")
        self._adoption.catch_up(self._ledger.book.open)
        self._cancels.catch_up(self._ledger.book.open)

    async def _confirm(self) -> None:
        """Look at positions again soon, until what differs is confirmed or gone."""
        await asyncio.sleep(CONFIRM_AGAIN)
        self._confirming = False
        await self.positions()
