"""What a supervisor tells its owner: changes of state, incidents, log records worth seeing, whatever else a child says."""

from __future__ import annotations

from typing import Any

import msgspec

from engine.domain.incidents import Incident
from engine.processes.states import ProcessState


class StateChanged(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    old: ProcessState
    new: ProcessState
    reason: str = ""
    """Why, in words, where it was not asked for."""
    remedy: str = ""
    tail: str = ""
    """The last log lines, when it ended unexpectedly."""


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A log line of a child at warning or above."""

    name: str
    level: str
    logger: str
    text: str
    remedy: str = ""
    category: str = ""
    traceback: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A line of another type, such as a backtest's progress."""

    name: str
    kind: str
    fields: dict[str, Any]


ProcessEvent = StateChanged | LogRecord | Report | Incident
