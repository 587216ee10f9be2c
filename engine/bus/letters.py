"""Who hears an event, how often a handler that failed is tried again, and what is left when it never worked."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from engine.bus.metrics import Stopwatch
from engine.domain.events import Event

MAX_DETAIL = 4_000


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses in seconds: `first`, then `factor` times as long each time, never longer than `longest`."""

    attempts: int = 4
    first: float = 0.1
    factor: float = 2.0
    longest: float = 5.0

    def pause(self, failures: int) -> float | None:
        """Before the next attempt, after so many that failed; None when there is none."""
        if failures >= self.attempts:
            return None
        return min(self.first * self.factor ** (failures - 1), self.longest)


class Subscription:
    """One handler of one kind. `call` is what the bus calls, `handler` what somebody subscribed."""

    __slots__ = ("call", "handler", "is_coroutine", "name", "retry", "watch")

    def __init__(
        self, name: str, handler: Callable[[Any], Any], call: Callable[[Any], Any], retry: Retry | None, waits: bool
    ) -> None:
        self.name = name
        self.handler = handler
        self.call = call
        self.retry = retry
        self.is_coroutine = waits
        self.watch = Stopwatch()

    def pause(self, failures: int) -> float | None:
        return None if self.retry is None else self.retry.pause(failures)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a handler could not be brought to take. One for each pair of event and handler."""

    event: Event
    handler: str
    error: str
    detail: str = ""
    attempts: int = 1

    @property
    def key(self) -> str:
        return f"{self.event.event_id}|{self.handler}"


def dead_letter(event: Event, handler: str, error: BaseException, attempts: int) -> DeadLetter:
    detail = "".join(traceback.format_exception(error))[-MAX_DETAIL:]
    said = f"{type(error).__name__}: {error}".strip()
    return DeadLetter(event=event, handler=handler, error=said, detail=detail, attempts=attempts)


def name_of(handler: Callable[[Any], Any]) -> str:
    """Readable, and the same after a restart."""
    module = getattr(handler, "__module__", "") or ""
    name = getattr(handler, "__qualname__", "") or type(handler).__qualname__
    return f"{module}.{name}".strip(".").replace(".<locals>", "")
