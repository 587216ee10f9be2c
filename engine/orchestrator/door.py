"""The private door of a running engine: a local socket by which `paddock ps`, `logs` and their like reach it.

One connection carries one request, a line of JSON, and its answers, a line each. The socket lies in the data folder,
which only its owner may enter, and whoever can open it may command the processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import msgspec

from engine.clock import Clock
from engine.control import EngineControl, LogLine
from engine.domain.errors import ConfigurationError, PaddockError, UnavailableError
from engine.views import CapacityView, ProcessRow

log = logging.getLogger(__name__)

MAX_REQUEST = 64 * 1024
SETTLED_WITHIN = 15.0
"""Seconds that a start or restart is waited for before it is told as it stands."""
LOOK = 0.1
Say = Callable[["Answer"], Awaitable[None]]
_UNSETTLED = {"STARTING", "STOPPING", "KILLING"}


class Request(msgspec.Struct, kw_only=True):
    command: str
    """ps, start, stop, restart, logs or capacity"""
    names: list[str] = []
    """Of processes or of groups; `all` for every one."""
    lines: int = 50
    follow: bool = False
    confirmed: bool = False
    """A critical process may be stopped although positions are open."""


class ProcessAnswer(msgspec.Struct, kw_only=True):
    """A process as `paddock ps --json` prints it. Times are seconds; None where there is none."""

    name: str
    kind: str
    state: str
    pid: int
    uptime_s: float | None
    restarts: int
    cpu_percent: float
    rss_bytes: int
    last_progress_s: float | None
    critical: bool


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of the four; `error` ends the conversation."""

    processes: list[ProcessAnswer] | None = None
    capacity: CapacityView | None = None
    line: LogLine | None = None
    error: str = ""
    remedy: str = ""


class Door:
    """Answers from the views, and hands commands to the engine."""

    def __init__(self, control: EngineControl, clock: Clock, path: Path) -> None:
        self._control = control
        self._clock = clock
        self._path = path
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """The data folder's lock is ours, so a socket found there is one that a dead process left behind."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._receive, self._path, limit=MAX_REQUEST)
        self._path.chmod(0o600)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for guest in self._guests:
            guest.cancel()
        await asyncio.gather(*self._guests, return_exceptions=True)
        # A disk that refuses must not keep what comes after from being closed; the next start removes the socket.
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._server = None

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._guests.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the guest has left, or we close
        finally:
            self._guests.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(answer: Answer) -> None:
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()

        try:
            request = msgspec.json.decode(await reader.readline(), type=Request)
            if request.command == "logs":
                await self._tell_log(request, say)
            elif request.command == "capacity":
                await say(Answer(capacity=self._capacity()))
            else:
                await say(Answer(processes=await self._obey(request)))
        except PaddockError as error:
            await say(Answer(error=error.message, remedy=error.remedy))
        except (msgspec.MsgspecError, ValueError) as error:
            await say(Answer(error=f"The request cannot be read: {error}", remedy="Use a paddock of the same version."))

    def _capacity(self) -> CapacityView:
        if (found := self._control.views.capacity) is None:
            raise UnavailableError(
                "No messages were measured yet.", "Ask again when prices have been coming for a moment."
            )
        return found

    async def _obey(self, request: Request) -> list[ProcessAnswer]:
        if request.command == "ps":
            return self._rows(self._names(request.names or ["all"]))
        names = self._names(request.names)
        if request.command in ("stop", "restart") and not request.confirmed:
            self._refuse_risk(names)
        act = {
            "start": self._control.start_processes,
            "stop": self._control.stop_processes,
            "restart": self._control.restart_processes,
        }.get(request.command)
        if act is None:
            raise ConfigurationError(f"There is no command {request.command!r}.", "Use a paddock of the same version.")
        log.info("%s %s, asked for on the command line", request.command, ", ".join(names))
        await act(names)
        await self._settle(names)
        return self._rows(names)

    def _refuse_risk(self, names: Iterable[str]) -> None:
        """A critical process is not stopped by a slip of the hand while money is at stake."""
        critical = [row.name for row in self._control.views.processes if row.critical and row.name in names]
        held = sum(1 for row in self._control.views.positions if row.quantity)
        if critical and held:
            raise ConfigurationError(
                f"{', '.join(critical)} {'are' if len(critical) > 1 else 'is'} critical and {held} positions are open.",
                "Say --yes if you mean it: until it runs again only orders that reduce may pass.",
            )

    async def _settle(self, names: Iterable[str]) -> None:
        """Returns when none of them is on its way any more, or after SETTLED_WITHIN. A command is taken up after this
        turn of the loop, so the first look comes a moment later.
        """
        wanted = set(names)
        for _ in range(round(SETTLED_WITHIN / LOOK)):
            await asyncio.sleep(LOOK)
            if not any(row.state in _UNSETTLED for row in self._control.views.processes if row.name in wanted):
                return

    async def _tell_log(self, request: Request, say: Say) -> None:
        (name, *others) = self._names(request.names) or [""]
        if others or not name:
            raise ConfigurationError("A log is of one process.", "Name one: paddock logs feed.")
        lines = self._control.process_log(name)[-request.lines :] if request.lines else []
        seen = max((line.number for line in self._control.process_log(name)), default=0)
        while True:
            for line in lines:
                await say(Answer(line=line))
            if not request.follow:
                return
            await asyncio.sleep(LOOK)
            lines = self._control.process_log(name, seen)
            seen = max((line.number for line in lines), default=seen)

    def _names(self, wanted: Iterable[str]) -> list[str]:
        """Names for names, groups and `all`, in the order of the table. Raises ConfigurationError for an unknown one."""
        rows = list(self._control.views.processes)
        known = {row.name for row in rows} | {row.group for row in rows} | {"all"}
        asked = list(wanted)
        for name in asked:
            if name not in known:
                raise ConfigurationError(
                    f"There is no process named {name}.", f"There are {', '.join(row.name for row in rows)}."
                )
        return [row.name for row in rows if "all" in asked or row.name in asked or row.group in asked]

    def _rows(self, names: Iterable[str]) -> list[ProcessAnswer]:
        wanted, now = set(names), self._clock.monotonic()
        return [_answer(row, now) for row in self._control.views.processes if row.name in wanted]


def _answer(row: ProcessRow, now: float) -> ProcessAnswer:
    return ProcessAnswer(
        name=row.name,
        kind=row.kind,
        state=row.state,
        pid=row.pid,
        uptime_s=round(now - row.started_at, 1) if row.started_at else None,
        restarts=row.restarts,
        cpu_percent=round(row.cpu_percent, 1),
        rss_bytes=row.rss_bytes,
        last_progress_s=round(now - row.last_progress, 1) if row.last_progress else None,
        critical=row.critical,
    )
