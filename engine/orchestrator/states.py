"""The life of the engine as a state machine: what may follow what, one way to change it, and word of each change."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class EngineState(StrEnum):
    """PAUSED: bots' signals are not acted on; orders by hand, cancels and protection go on."""

    CREATED = "CREATED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def is_up(self) -> bool:
        return self in (EngineState.RUNNING, EngineState.PAUSED)

    @property
    def is_over(self) -> bool:
        return self in (EngineState.STOPPED, EngineState.FAILED)


_S = EngineState
FOLLOWING: dict[EngineState, frozenset[EngineState]] = {
    _S.CREATED: frozenset({_S.STARTING, _S.STOPPING}),
    _S.STARTING: frozenset({_S.RUNNING, _S.PAUSED, _S.STOPPING, _S.FAILED}),
    _S.RUNNING: frozenset({_S.PAUSED, _S.STOPPING}),
    _S.PAUSED: frozenset({_S.RUNNING, _S.STOPPING}),
    _S.STOPPING: frozenset({_S.STOPPED, _S.FAILED}),
    _S.STOPPED: frozenset(),
    _S.FAILED: frozenset(),
}


class IllegalChangeError(RuntimeError):
    """A programming error: nobody may ask for this change in this state."""


class Lifecycle:
    """`on_change` gets (old, new, reason) of each change."""

    def __init__(self, on_change: Callable[[EngineState, EngineState, str], None]) -> None:
        self.state = EngineState.CREATED
        self._on_change = on_change

    def change_state(self, new: EngineState, reason: str = "") -> None:
        """Raises IllegalChangeError when `new` may not follow."""
        old = self.state
        if new not in FOLLOWING[old]:
            raise IllegalChangeError(f"{new.value} does not follow {old.value}")
        self.state = new
        self._on_change(old, new, reason)
