"""What a supervised process is: how it is started, how long it may take, and how often it may fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Delays in seconds: `first` doubles up to `longest`, with `jitter` as a share, and starts anew after `healthy`.

    More than `budget` unexpected ends within `window` is FATAL. Exits from RUNNING count too.
    """

    first: float = 0.25
    longest: float = 30.0
    jitter: float = 0.2
    healthy: float = 60.0
    budget: int = 5
    window: float = 60.0


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`settings` is asked at each start, because an address may have changed since; it is sent as JSON on stdin."""

    name: str
    kind: str
    group: str
    settings: Callable[[], msgspec.Struct | dict[str, Any]]
    command: Sequence[str] = ()
    """Empty for `python -m engine.workers KIND`."""
    depends_on: Sequence[str] = ()
    """Names that must be RUNNING first when all are started."""
    critical: bool = False
    """When it is FATAL, trading may only reduce."""
    ready_timeout: float = 20.0
    heartbeat_timeout: float = 10.0
    stop_wait: float = 2.0
    """Seconds from the end of stdin to SIGTERM; half of it again to SIGKILL."""
    restart: RestartPolicy = RestartPolicy()

    @property
    def arguments(self) -> list[str]:
        return list(self.command) or worker_command(self.kind)


def worker_command(kind: str) -> list[str]:
    return [sys.executable, "-m", "engine.workers", kind]
