"""What is kept of a process that ended unexpectedly, so that a person can see afterwards what happened and why."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class IncidentKind(StrEnum):
    CRASH = "crash"
    """It ended by itself."""
    HANG = "hang"
    """It gave no sign of life, and was killed for it."""
    NO_PROGRESS = "no progress"
    """It gave signs of life but did not get on with its work, and was killed for it."""
    NOT_READY = "not ready"
    """It was not ready in time, and was killed for it."""
    LIMIT = "limit"
    """It reached a limit of memory or CPU and was stopped and started."""
    STUCK = "stuck"
    """It was killed and is still there."""
    STOPPED = "stopped"
    """Somebody asked for it: no incident, and never stored."""


class Figures(msgspec.Struct, frozen=True, array_like=True):
    """Of a process at one moment; `before` in seconds from its end, so negative."""

    before: float
    cpu_percent: float
    rss_bytes: int
    rate: float


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One unexpected end."""

    key: str
    """Sorts by time."""
    timestamp: int
    """Int nanoseconds UTC."""
    process: str
    kind: IncidentKind
    reason: str
    """Exit code, signal or what was overdue, in words."""
    state: str
    """What followed: BACKOFF, FATAL, STUCK or STOPPED before a new start."""
    exit_code: int | None = None
    """Negative for a signal; None when it did not end."""
    lived: float = 0.0
    """Seconds."""
    restarts_left: int = 0
    cause: str = ""
    """The probable cause, by the first rule that fits; empty when none does."""
    remedy: str = ""
    tail: tuple[str, ...] = ()
    """The last lines of its log, oldest first."""
    history: tuple[Figures, ...] = ()
    """Oldest first."""
    error: str = ""
    """Fingerprint of the group under Errors & Alerts."""
