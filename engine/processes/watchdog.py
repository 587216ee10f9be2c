"""When a child was last heard and last got on with its work, and what is overdue. Times are monotonic seconds."""

from __future__ import annotations

import math
from typing import Any

from engine.domain.incidents import IncidentKind
from engine.processes.specification import ProcessSpec

SHORTEST = 0.5
"""Seconds that a rate is measured over: on a busy machine several heartbeats are read in the same instant."""


class Watchdog:
    """Of one life of one process, from its start at `now`; fed with what the child says."""

    def __init__(self, spec: ProcessSpec, now: float) -> None:
        self._spec = spec
        self._born_at = now
        self.ready_at = 0.0
        """0 until it was ready."""
        self.last_sign = now
        self.last_progress = 0.0
        self.progress = 0
        self._produced: int | None = None
        self.rate = 0.0
        """Units of work a second."""
        self._expected_since = 0.0
        self._expects = 0.0
        self._rated = 0
        self._rated_at = now

    @property
    def is_ready(self) -> bool:
        return self.ready_at > 0

    def is_stable(self, now: float) -> bool:
        """Whether it has been ready for as long as a start takes."""
        return self.is_ready and now - self.ready_at >= self._spec.start_seconds

    def hear(self, kind: str, said: dict[str, Any], now: float) -> None:
        """A `ready` or a `heartbeat` line."""
        self.last_sign = now
        if kind == "ready":
            self.ready_at = self.ready_at or now
            return
        self._expect(said.get("expects"), now)
        progress = said.get("progress")
        if isinstance(progress, int) and not isinstance(progress, bool):
            self._count(progress, said.get("produced"), now)

    def _expect(self, expects: object, now: float) -> None:
        known = isinstance(expects, (int, float)) and not isinstance(expects, bool) and math.isfinite(expects)
        limit = float(expects) if known else 0.0  # type: ignore[arg-type]
        if limit > 0 and self._spec.progress_timeout:
            limit = self._spec.progress_timeout
        if limit > 0 and self._expects <= 0:
            self._expected_since = now
        self._expects = limit

    def _count(self, progress: int, produced: object, now: float) -> None:
        """Progress is what was produced where the child counts that, and else what was done."""
        elapsed = now - self._rated_at
        if elapsed >= SHORTEST:
            self.rate = max(progress - self._rated, 0) / elapsed
            self._rated, self._rated_at = progress, now
        if produced != self._produced if isinstance(produced, int) else progress != self.progress:
            self.last_progress = now
        self._produced = produced if isinstance(produced, int) else None
        self.progress = progress

    def due(self) -> tuple[float, IncidentKind, str]:
        """When the next sign must have come, and what is wrong if it has not."""
        return min(self._deadlines())

    def _deadlines(self) -> list[tuple[float, IncidentKind, str]]:
        spec = self._spec
        if not self.is_ready:
            late = f"not ready within {spec.ready_timeout:g} s"
            return [(self._born_at + spec.ready_timeout, IncidentKind.NOT_READY, late)]
        silent = f"no sign of life for {spec.heartbeat_timeout:g} s"
        found = [(self.last_sign + spec.heartbeat_timeout, IncidentKind.HANG, silent)]
        if self._expects > 0:
            idle = f"alive, but no progress for {self._expects:g} s"
            since = max(self.last_progress, self._expected_since)
            found.append((since + self._expects, IncidentKind.NO_PROGRESS, idle))
        return found
