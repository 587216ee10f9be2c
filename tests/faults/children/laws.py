"""The steps a supervised process may take, written down from the design page and not from the code it judges."""

from __future__ import annotations

from engine.processes.states import ProcessState as S

LIVE = frozenset({S.STARTING, S.RUNNING, S.UNRESPONSIVE, S.STOPPING, S.KILLING})
LAW: dict[S, frozenset[S]] = {
    S.STOPPED: frozenset({S.STARTING}),
    S.STARTING: frozenset({S.RUNNING, S.BACKOFF, S.FATAL, S.UNRESPONSIVE, S.STOPPING, S.STOPPED}),
    S.RUNNING: frozenset({S.EXITED, S.BACKOFF, S.FATAL, S.UNRESPONSIVE, S.STOPPING, S.STOPPED}),
    S.UNRESPONSIVE: frozenset({S.KILLING}),
    S.BACKOFF: frozenset({S.STARTING, S.FATAL, S.STOPPED}),
    S.STOPPING: frozenset({S.KILLING, S.STOPPED, S.STUCK, S.FATAL}),
    S.KILLING: frozenset({S.STOPPED, S.BACKOFF, S.FATAL, S.STUCK}),
    S.STUCK: frozenset({S.STOPPED, S.STARTING}),
    S.EXITED: frozenset({S.STARTING}),
    S.FATAL: frozenset({S.STOPPED, S.STARTING}),
}
