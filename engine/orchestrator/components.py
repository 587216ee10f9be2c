"""The parts of the engine, how each is doing, what it needs, and how often it may be mended before it is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from engine.clock import Clock


class ComponentState(StrEnum):
    """WAITING: for its start, or for what it depends on."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    RECOVERING = "RECOVERING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


class Component(msgspec.Struct, kw_only=True):
    """`since` is int nanoseconds UTC; `recoveries` counts the times it came back after a failure."""

    name: str
    depends_on: tuple[str, ...] = ()
    critical: bool = True
    """Without it nobody should add risk."""
    is_process: bool = False
    """The supervisor of processes mends it, with limits of its own."""
    state: ComponentState = ComponentState.WAITING
    since: int = 0
    reason: str = ""
    recoveries: int = 0
    tries: int = 0
    up_at: float = 0.0
    """Monotonic seconds of the last time it came up."""


class RecoveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Pauses and `steady` in seconds; whoever ran for `steady` has all its attempts again."""

    attempts: int = 10
    first_pause: float = 0.5
    longest_pause: float = 15.0
    steady: float = 60.0

    def pause(self, tries: int) -> float:
        return float(min(self.first_pause * 2.0 ** min(tries - 1, 30), self.longest_pause))


class Components:
    """`on_failed` is called once when a part is given up, `on_back` when one has recovered."""

    def __init__(
        self,
        clock: Clock,
        limits: RecoveryLimits,
        on_failed: Callable[[Component], None],
        on_back: Callable[[Component], None],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._on_failed = on_failed
        self._on_back = on_back
        self._known: dict[str, Component] = {}

    def __iter__(self) -> Iterator[Component]:
        return iter(self._known.values())

    def __getitem__(self, name: str) -> Component:
        return self._known[name]

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def add(self, component: Component) -> None:
        component.since = self._clock.now()
        self._known[component.name] = component

    def running(self, name: str) -> None:
        component = self._known[name]
        was_down = component.reason != "" and component.state is not ComponentState.STOPPED
        component.recoveries += was_down
        component.up_at = self._clock.monotonic()
        self._change(component, ComponentState.RUNNING, "")
        if was_down:
            self._on_back(component)

    def failed(self, name: str, reason: str) -> float | None:
        """Seconds until the next attempt; None when there have been enough. Waiting for another part costs none."""
        component = self._known[name]
        if missing := self._missing(component):
            self._change(component, ComponentState.WAITING, f"waits for {missing}: {reason}")
            return self._limits.first_pause
        ran = component.state is ComponentState.RUNNING
        if ran and self._clock.monotonic() - component.up_at >= self._limits.steady:
            component.tries = 0
        component.tries += 1
        if component.tries > self._limits.attempts:
            self.give_up(name, reason)
            return None
        self._change(component, ComponentState.RECOVERING, reason)
        return self._limits.pause(component.tries)

    def recovering(self, name: str, reason: str) -> None:
        """Somebody else mends it."""
        self._change(self._known[name], ComponentState.RECOVERING, reason)

    def give_up(self, name: str, reason: str) -> None:
        component = self._known[name]
        was_failed = component.state is ComponentState.FAILED
        self._change(component, ComponentState.FAILED, reason)
        if not was_failed:
            self._on_failed(component)

    def stopped(self, name: str) -> None:
        self._change(self._known[name], ComponentState.STOPPED, "")

    def _missing(self, component: Component) -> str:
        """The first of what it depends on that does not run."""
        for name in component.depends_on:
            needed = self._known.get(name)
            if needed is not None and needed.state is not ComponentState.RUNNING:
                return name
        return ""

    def _change(self, component: Component, state: ComponentState, reason: str) -> None:
        if component.state is not state:
            component.since = self._clock.now()
        component.state = state
        component.reason = reason
