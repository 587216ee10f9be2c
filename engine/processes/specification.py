"""What a supervised process is: how it is started, how long it may take, what it may use, and how often it may fail."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from engine.domain.errors import ConfigurationError


def _positive(struct: msgspec.Struct, *names: str, zero: bool = False) -> None:
    for name in names:
        value = getattr(struct, name)
        if not (value >= 0 if zero else value > 0):
            least = "not be negative" if zero else "be above 0"
            raise ConfigurationError(f"{name} is {value:g}.", f"It must {least}.")


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Delays in seconds: `first` doubles up to `longest`, with `jitter` as a share, and starts anew after `healthy`.

    More than `budget` unexpected ends within `window` is FATAL. Exits from RUNNING count too.
    """

    when: Literal["unexpected", "always", "never"] = "unexpected"
    """`always` also after success; `never`: the first unexpected end is FATAL."""
    first: float = 0.5
    longest: float = 60.0
    jitter: float = 0.2
    healthy: float = 60.0
    budget: int = 5
    window: float = 60.0

    def __post_init__(self) -> None:
        _positive(self, "first", "longest", "healthy", "window")
        if not 0 <= self.jitter < 1 or self.budget < 0 or self.longest < self.first:
            raise ConfigurationError(
                "A restart policy contradicts itself.",
                "jitter is a share below 1, budget is not negative, and longest is not below first.",
            )


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`settings` is asked at each start, because an address may have changed since; it is sent as JSON on stdin.

    Times are in seconds. Raises ConfigurationError for a value that makes no sense.
    """

    name: str
    kind: str
    group: str
    settings: Callable[[], msgspec.Struct | dict[str, Any]]
    command: Sequence[str] = ()
    """Empty for `python -m engine.workers KIND`."""
    depends_on: Sequence[str] = ()
    """Names that must be RUNNING first when they are started together."""
    critical: bool = False
    """When it is FATAL, trading may only reduce."""
    autostart: bool = True
    """Whether it is started with the engine; otherwise a person does."""
    start_seconds: float = 3.0
    """A process that ends by itself within this time after it was ready has failed, even with exit code 0."""
    ready_timeout: float = 20.0
    heartbeat_timeout: float = 10.0
    progress_timeout: float = 0.0
    """Longest time without progress while the child expects some; 0 takes the limit that the child itself names."""
    stop_wait: float = 10.0
    """From the end of stdin to SIGKILL; SIGTERM comes in the middle."""
    memory_limit: int = 0
    """Bytes of resident memory at which it is recycled, with a warning at 80 %; 0 for none."""
    cpu_limit: float = 0.0
    """Per cent of one core, as the mean of a minute, at which it is recycled, with a warning at 80 %; 0 for none."""
    restart: RestartPolicy = RestartPolicy()

    def __post_init__(self) -> None:
        _positive(self, "ready_timeout", "heartbeat_timeout", "stop_wait")
        _positive(self, "start_seconds", "progress_timeout", "memory_limit", "cpu_limit", zero=True)
        if not self.name or self.name in self.depends_on:
            raise ConfigurationError(
                f"The process {self.name!r} depends on itself or has no name.", "Name it, and what it needs first."
            )

    @property
    def arguments(self) -> list[str]:
        return list(self.command) or worker_command(self.kind)


def worker_command(kind: str) -> list[str]:
    return [sys.executable, "-m", "engine.workers", kind]
