"""What the bus knows of one kind of event: who hears it, what happens when there is no room, and the last of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from engine.bus.letters import Subscription
from engine.bus.policy import KEEP, Overflow, Policy
from engine.domain.events import Event


class Kind:
    """`handlers` are the calls of `subscriptions`, ready for the innermost loop of the bus."""

    __slots__ = (
        "conflated",
        "handlers",
        "history",
        "key",
        "name",
        "overflow",
        "pending",
        "queued",
        "remember",
        "shed",
        "subscriptions",
    )

    def __init__(self, name: str, policy: Policy, remembered: int) -> None:
        self.name = name
        self.overflow = policy.overflow
        self.key = policy.key
        self.pending: dict[Hashable, Event] | None = {} if policy.overflow is Overflow.CONFLATE else None
        self.queued: set[Hashable] = set()
        self.subscriptions: tuple[Subscription, ...] = ()
        self.handlers: tuple[Callable[[Any], Any], ...] = ()
        self.history: deque[Event] = deque(maxlen=remembered)
        self.remember = self.history.append
        self.conflated = 0
        self.shed = 0

    def add(self, subscription: Subscription) -> None:
        self._set((*self.subscriptions, subscription))

    def remove(self, subscription: Subscription) -> None:
        self._set(tuple(one for one in self.subscriptions if one is not subscription))

    def by_call(self, call: Callable[[Any], Any]) -> Subscription:
        return next(one for one in self.subscriptions if one.call is call)

    def newest(self, event: Event) -> Event | None:
        """What has come in its place while it waited; None when that was handed out before."""
        if self.key is None or self.pending is None:
            return event
        key = self.key(event)
        self.queued.discard(key)
        return self.pending.pop(key, None)

    def replaces(self, event: Event) -> bool:
        """Whether it took the place of one that waits; else it has to be queued.

        Threads may call it while the loop calls `newest`, and need no lock: here the event is put down before the look
        at `queued`, there `queued` is cleared before the event is taken, so that one of the two sees the other.
        """
        if self.key is None or self.pending is None:
            return False
        key = self.key(event)
        self.pending[key] = event
        if key in self.queued:
            self.conflated += 1
            return True
        self.queued.add(key)
        return False

    def unused(self, name: str) -> str:
        """The name, with a number behind it when a handler has it already."""
        names = {one.name for one in self.subscriptions}
        found, number = name, 2
        while found in names:
            found, number = f"{name} #{number}", number + 1
        return found

    def _set(self, subscriptions: tuple[Subscription, ...]) -> None:
        self.subscriptions = subscriptions
        self.handlers = tuple(one.call for one in subscriptions)


class Kinds:
    """Every kind met so far. `known`, `conflating` and `yielding` are read in the innermost loops."""

    def __init__(self, policies: Mapping[type[Event], Policy], remembered: int) -> None:
        self.known: dict[type, Kind] = {}
        self.conflating = frozenset(kind for kind, policy in policies.items() if policy.key is not None)
        self.yielding = frozenset(
            kind for kind, policy in policies.items() if policy.overflow in (Overflow.SHED, Overflow.BLOCK)
        )
        self._counting = threading.Lock()
        self._policies = policies
        self._remembered = remembered

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self.known.values()))

    def of(self, kind: type[Event]) -> Kind:
        found = self.known.get(kind)
        if found is None:
            found = self.known[kind] = Kind(kind.__name__, self._policies.get(kind, KEEP), self._remembered)
        return found

    def replaces(self, event: Event) -> bool:
        return self.of(type(event)).replaces(event)

    def shed(self, event: Event) -> None:
        """Count one that is dropped because its queue is full."""
        with self._counting:
            self.of(type(event)).shed += 1
