"""The bus: takes events in, hands them to their handlers by priority, and gives the event loop its turn in between."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from engine.bus.failures import ErrorHandler, Failure, Failures
from engine.bus.kinds import Kinds
from engine.bus.letters import DeadLetter, Retry, Subscription, name_of
from engine.bus.lines import Line
from engine.bus.metrics import BusFigures, Histogram, Rate, slowest
from engine.bus.policy import DEFAULTS, Overflow, Policy
from engine.bus.room import Room
from engine.domain.errors import UnavailableError
from engine.domain.events import Event, Priority

E = TypeVar("E", bound=Event)

CAPACITY = 10_000
SLICE = 0.0005
"""Seconds of handlers in a row before the loop gets its turn: a window must paint between them."""
CHECK = 7
"""The clock is read after every eighth event."""
SAMPLE = 63
"""One event in sixty-four carries the time of its publication when many wait, and each one when none does."""
REMEMBERED = 500
CLOSE_TIMEOUT = 2.0


class Bus:
    """`publish` never blocks. What is protected is never lost; the rest follows its kind's policy beyond `capacity`.

    Handlers run one after another on the loop that called `start`. One that fails harms neither the event nor the
    other handlers: it is told to `on_error`, tried again if it asked for that, and at last handed to `on_dead`.
    `capacity` holds for each priority, `remembered` for the history of each kind.
    """

    def __init__(
        self,
        on_error: ErrorHandler,
        capacity: int = CAPACITY,
        *,
        on_dead: Callable[[DeadLetter], None] | None = None,
        policies: Mapping[type[Event], Policy] = DEFAULTS,
        remembered: int = REMEMBERED,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self.delivered = 0
        self._failures = Failures(capacity, on_error, on_dead)
        self._capacity = capacity
        self._queues: tuple[deque[Any], ...] = tuple(deque() for _ in Priority)
        self._kinds = Kinds(policies, remembered)
        self._conflating = self._kinds.conflating
        self._yielding = self._kinds.yielding
        self._room = Room(capacity)
        self._lines: list[Line] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._given_monotonic = monotonic
        self._now = monotonic or time.monotonic
        self._awake = True
        self._stamps = 0
        self._latency = Histogram()
        self._rate = Rate()

    # Who listens

    def subscribe(
        self, kind: type[E], handler: Callable[[E], object], *, name: str = "", retry: Retry | None = None
    ) -> Subscription:
        """`handler` sees every event of exactly this type, in order of publication within one priority.

        A coroutine function has a line of its own: its events wait while it works on one, and nobody else does.
        `name` is shown, and finds the handler again when a dead letter is delivered once more. With `retry` a failure
        is tried again later; of a plain handler, other events may come in between.
        """
        record = self._kinds.of(kind)
        name = record.unused(name or name_of(handler))
        if inspect.iscoroutinefunction(handler):
            line = Line(record, self._capacity, self._failures)
            subscription = line.subscription = Subscription(name, handler, line.put, retry, True)
            self._lines.append(line)
        else:
            subscription = Subscription(name, handler, handler, retry, False)
        record.add(subscription)
        return subscription

    def unsubscribe(self, kind: type[Event], subscription: Subscription) -> None:
        self._kinds.of(kind).remove(subscription)

    # What is told

    def publish(self, event: Event, priority: Priority = Priority.NORMAL) -> None:
        queue = self._queues[priority]
        waiting = len(queue)
        if type(event) in self._conflating and self._kinds.replaces(event):
            return
        if waiting >= self._capacity and type(event) in self._yielding:
            self._kinds.shed(event)
            return
        if not waiting & SAMPLE:
            self._stamp(queue)
        queue.append(event)
        if not self._awake:
            self._wake()

    def publish_threadsafe(self, event: Event, priority: Priority = Priority.NORMAL) -> None:
        """From any thread. Waits for room if the policy is to block; another thread's events may come in between."""
        queue = self._queues[priority]
        if len(queue) >= self._capacity and type(event) in self._yielding and not self._has_room(queue, event):
            return
        if type(event) in self._conflating and self._kinds.replaces(event):
            return
        queue.append(event)
        if not self._awake:
            self._wake_from_thread()

    async def offer(self, event: Event, priority: Priority = Priority.NORMAL) -> None:
        """Publish as soon as there is room."""
        await self._room.wait(self._queues[priority])
        self.publish(event, priority)

    async def redeliver(self, event: Event, handler: str) -> None:
        """To this one handler, now. Raises UnavailableError when there is none of that name, and what it raises."""
        found = next((one for one in self._kinds.of(type(event)).subscriptions if one.name == handler), None)
        if found is None:
            raise UnavailableError(
                f"Nothing in this version of Paddock is called {handler}.", "Discard the event: nobody waits for it."
            )
        result = found.handler(event)
        if found.is_coroutine:
            await result

    # Life

    def start(self) -> None:
        """Call it on the loop that handlers run on."""
        self._loop = asyncio.get_running_loop()
        self._now = self._given_monotonic or self._loop.time
        self._room.open(self._loop)
        self._failures.open(self._loop)
        self._wake()

    async def close(self) -> None:
        """Handle what is queued, let coroutine handlers finish, then stop; what still waits for a retry is dead."""
        self._drain()
        self._failures.close()
        await asyncio.gather(*(line.close(CLOSE_TIMEOUT) for line in self._lines))
        self._drain()
        self._loop = None
        self._room.close()

    # How it is doing

    @property
    def backlog(self) -> int:
        return sum(map(len, self._queues)) - self._stamps

    @property
    def dropped(self) -> int:
        return sum(kind.shed for kind in self._kinds)

    @property
    def conflated(self) -> int:
        return sum(kind.conflated for kind in self._kinds)

    @property
    def published(self) -> int:
        return self.delivered + self.backlog + self.conflated

    def history(self, kind: type[E], last: int = REMEMBERED) -> list[E]:
        """The last events of this kind that were handled, oldest first."""
        found: deque[Any] = self._kinds.of(kind).history
        return list(found)[-last:] if last > 0 else []

    def figures(self) -> BusFigures:
        subscriptions = [one for kind in self._kinds for one in kind.subscriptions]
        return BusFigures(
            depth=tuple(map(len, self._queues)),
            published=self.published,
            delivered=self.delivered,
            conflated=self.conflated,
            shed=self.dropped,
            shed_by_kind={kind.name: kind.shed for kind in self._kinds if kind.shed},
            failed=self._failures.failed,
            retried=self._failures.retried,
            dead=self._failures.dead,
            rate=self._rate.of(self.delivered, self._now()),
            p50=self._latency.quantile(0.5),
            p99=self._latency.quantile(0.99),
            latency=self._latency.buckets(),
            slowest=slowest([(one.name, one.watch) for one in subscriptions]),
        )

    # Inside

    def _run_slice(self) -> None:
        now, kinds = self._now, self._kinds.known
        deadline = now() + SLICE
        urgent, high, normal, low = self._queues
        handled = 0
        try:
            while queue := urgent or high or normal or low:
                event = queue.popleft()
                kind = kinds.get(type(event))
                if kind is None:
                    self._deliver_measured(event, queue)
                else:
                    if kind.pending is not None and (event := kind.newest(event)) is None:
                        continue
                    kind.remember(event)
                    for handler in kind.handlers:
                        try:
                            handler(event)
                        except Exception as error:
                            self._failures.take(Failure(kind.by_call(handler), event, error, 1))
                handled += 1
                if not handled & CHECK and now() > deadline:
                    break
        finally:
            self.delivered += handled
            self._go_on()

    def _deliver_measured(self, item: Any, queue: deque[Any]) -> None:
        """A stamp with the event behind it, or the first event of a kind that nobody has subscribed to."""
        event, stamp = item, None
        if type(item) is float:
            event, stamp = queue.popleft(), item
            self._stamps -= 1
        kind = self._kinds.of(type(event))
        if kind.pending is not None and (event := kind.newest(event)) is None:
            return
        kind.remember(event)
        now = self._now
        before = now()
        if stamp is not None:
            self._latency.add(before - stamp)
        for subscription in kind.subscriptions:
            try:
                subscription.call(event)
            except Exception as error:
                self._failures.take(Failure(subscription, event, error, 1))
            after = now()
            if not subscription.is_coroutine:
                subscription.watch.add(after - before)
            before = after

    def _stamp(self, queue: deque[Any]) -> None:
        """The time travels in the queue, just ahead of its event."""
        queue.append(float(self._now()))
        self._stamps += 1

    def _wake(self) -> None:
        if self._loop is not None:
            self._awake = True
            self._loop.call_soon(self._run_slice)

    def _wake_from_thread(self) -> None:
        loop = self._loop
        if loop is not None:
            self._awake = True
            loop.call_soon_threadsafe(self._run_slice)

    def _has_room(self, queue: deque[Any], event: Event) -> bool:
        if self._kinds.of(type(event)).overflow is Overflow.BLOCK and self._room.wait_in_thread(queue):
            return True
        self._kinds.shed(event)
        return False

    def _go_on(self) -> None:
        self._room.tell()
        # First the flag and then the look: a thread that adds one in between sees the flag and wakes us itself.
        self._awake = False
        if any(self._queues):
            self._wake()

    def _drain(self) -> None:
        while any(self._queues):
            self._run_slice()
