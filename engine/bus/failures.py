"""What happens when a handler fails: it is tried again if it asked for that, and what never works is set aside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from engine.bus.letters import DeadLetter, Subscription, dead_letter
from engine.domain.events import Event

log = logging.getLogger(__name__)

ErrorHandler = Callable[[Event, BaseException], None]


class Failure(NamedTuple):
    subscription: Subscription
    event: Event
    error: BaseException
    attempts: int


class Failures:
    """At most `capacity` wait for another attempt; beyond that a failure is final at once."""

    def __init__(self, capacity: int, on_error: ErrorHandler, on_dead: Callable[[DeadLetter], None] | None) -> None:
        self.failed = 0
        self.retried = 0
        self.dead = 0
        self._capacity = capacity
        self._on_error = on_error
        self._on_dead = on_dead
        self._waiting: dict[int, tuple[asyncio.TimerHandle, Failure]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def close(self) -> None:
        """What still waits for another attempt has had its last."""
        self._loop = None
        waiting, self._waiting = self._waiting, {}
        for timer, failure in waiting.values():
            timer.cancel()
            self.bury(failure)

    def take(self, failure: Failure) -> None:
        pause = failure.subscription.pause(failure.attempts)
        if pause is None or self._loop is None or len(self._waiting) >= self._capacity:
            self.bury(failure)
            return
        self.count_retry()
        timer = self._loop.call_later(pause, self._try_again, self.retried)
        self._waiting[self.retried] = (timer, failure)

    def count_retry(self) -> None:
        self.retried += 1

    def bury(self, failure: Failure) -> None:
        self.failed += 1
        failure.subscription.watch.failures += 1
        try:
            self._on_error(failure.event, failure.error)
            if self._on_dead is not None:
                self._on_dead(dead_letter(failure.event, failure.subscription.name, failure.error, failure.attempts))
                self.dead += 1
        except Exception:
            # Whoever is told must not be able to stop the bus.
            log.exception("an event that %s could not take was not set aside", failure.subscription.name)

    def _try_again(self, number: int) -> None:
        _, failure = self._waiting.pop(number)
        try:
            failure.subscription.call(failure.event)
        except Exception as error:
            self.take(failure._replace(error=error, attempts=failure.attempts + 1))
