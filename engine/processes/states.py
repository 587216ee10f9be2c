"""The states of a supervised process, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class ProcessState(StrEnum):
    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    UNRESPONSIVE = "UNRESPONSIVE"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    KILLING = "KILLING"
    STUCK = "STUCK"
    """Killed, and still not gone: the operating system holds it. An alert; nobody waits for it."""
    EXITED = "EXITED"
    """It ended by itself, with success."""
    FATAL = "FATAL"
    """It will not be started again until a person does."""

    @property
    def is_live(self) -> bool:
        return self in _LIVE


_S = ProcessState
_LIVE = frozenset({_S.STARTING, _S.RUNNING, _S.UNRESPONSIVE, _S.STOPPING, _S.KILLING})
_AT_REST = frozenset({_S.STARTING})
_NEXT: dict[ProcessState, frozenset[ProcessState]] = {
    _S.STOPPED: _AT_REST,
    _S.EXITED: _AT_REST,
    _S.FATAL: _AT_REST | {_S.STOPPED},
    _S.STUCK: _AT_REST | {_S.STOPPED},
    _S.STARTING: frozenset({_S.RUNNING, _S.BACKOFF, _S.FATAL, _S.UNRESPONSIVE, _S.STOPPING, _S.STOPPED}),
    _S.RUNNING: frozenset({_S.BACKOFF, _S.FATAL, _S.EXITED, _S.UNRESPONSIVE, _S.STOPPING, _S.STOPPED}),
    _S.UNRESPONSIVE: frozenset({_S.KILLING, _S.BACKOFF, _S.FATAL, _S.STOPPED}),
    _S.BACKOFF: frozenset({_S.STARTING, _S.STOPPED, _S.FATAL}),
    _S.STOPPING: frozenset({_S.KILLING, _S.STOPPED, _S.STUCK, _S.FATAL}),
    _S.KILLING: frozenset({_S.STOPPED, _S.STUCK, _S.BACKOFF, _S.FATAL}),
}


def may_follow(old: ProcessState, new: ProcessState) -> bool:
    return new in _NEXT[old]
