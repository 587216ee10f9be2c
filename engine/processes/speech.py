"""Understand what a child says, keep the tail of its log, and write it to a file; bounded in size and in rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from engine.clock import Clock
from engine.control import LogLine
from engine.processes.events import LogRecord, ProcessEvent, Report
from engine.processes.log_files import LogFiles

RING = 2_000
LINES_PER_SECOND = 500
MAX_TEXT = 4_000
LOUD = frozenset({"warning", "error", "critical"})

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Speech:
    """What one process has said. `on_ready` and `on_heartbeat` go to its unit, the rest to the owner."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        files: LogFiles | None,
        on_event: Callable[[ProcessEvent], None],
        on_pulse: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.dropped = 0
        self._name = name
        self._clock = clock
        self._on_event = on_event
        self._on_pulse = on_pulse
        self._ring: deque[LogLine] = deque(maxlen=RING)
        self._number = 0
        self._second = -1
        self._in_second = 0
        self._told = 0
        self._unsaid = 0
        self._born = 0
        self._files = files

    def hear(self, line: bytes) -> None:
        """One line of stdout. What is no JSON object with a `type` is kept as it is."""
        said = _object(line)
        kind = said.pop("type", None) if said is not None else None
        if said is None or not isinstance(kind, str):
            self.note("info", "stdout", line.decode(errors="replace").rstrip("\r"))
        elif kind in {"ready", "heartbeat"}:
            self._count_unsaid(said.get("dropped", 0))
            self._on_pulse(kind, said)
        elif kind == "log":
            self._hear_log(said)
        elif kind == "result" or self._within_rate():
            self._on_event(Report(name=self._name, kind=kind, fields=said))

    def note(self, level: str, logger: str, text: str) -> None:
        """Add a line to the log; beyond the rate it is counted and dropped."""
        if self._within_rate():
            self._keep(level, logger, text)

    def skipped(self, count: int) -> None:
        """Lines of a flood that were not even looked at."""
        self.dropped += count

    def born(self) -> None:
        """A new life begins: what was said before is no explanation of its end."""
        self._born = self._number

    def _count_unsaid(self, dropped: object) -> None:
        """The child counts what it could not say because its pipe was full; each new child counts from 0."""
        if not isinstance(dropped, int) or dropped == self._unsaid:
            return
        if dropped > self._unsaid:
            self.note("warning", "supervisor", f"{dropped - self._unsaid} lines were not said: the pipe was full")
        self._unsaid = dropped

    def _within_rate(self) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
            if self.dropped > self._told:
                missing, self._told = self.dropped - self._told, self.dropped
                self._keep("warning", "supervisor", f"{missing} lines came too fast and were dropped")
        self._in_second += 1
        if self._in_second > LINES_PER_SECOND:
            self.dropped += 1
            return False
        return True

    def _keep(self, level: str, logger: str, text: str) -> None:
        self._number += 1
        text = text[:MAX_TEXT]
        self._ring.append(
            LogLine(number=self._number, timestamp=self._clock.now(), level=level, logger=logger, text=text)
        )
        if self._files is not None:
            self._files.write(self._name, logger, f"{level.upper():8} {logger}: {text}")

    def lines(self, after: int = 0) -> list[LogLine]:
        return [line for line in self._ring if line.number > after]

    def tail(self, count: int = 50) -> str:
        """The last lines of this life."""
        return "\n".join(line.text for line in self.lines(self._born)[-count:])

    def last_error(self) -> LogLine | None:
        """Of this life."""
        lines = reversed(self.lines(self._born))
        return next((line for line in lines if line.level in {"error", "critical"}), None)

    def _hear_log(self, said: dict[str, Any]) -> None:
        level = str(said.get("level", "info"))
        logger = str(said.get("logger", ""))
        text = str(said.get("text", ""))
        traceback = str(said.get("traceback", ""))
        before = self.dropped
        self.note(level, logger, f"{text}\n{traceback}" if traceback else text)
        if level in LOUD and self.dropped == before:
            self._on_event(
                LogRecord(
                    name=self._name,
                    level=level,
                    logger=logger,
                    text=text,
                    remedy=str(said.get("remedy", "")),
                    category=str(said.get("category", "")),
                    traceback=traceback,
                )
            )


def _object(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        return _decode(line)
    except (msgspec.MsgspecError, ValueError):
        return None
