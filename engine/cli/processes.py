"""`paddock ps`, `start`, `stop`, `restart` and `logs`: the processes of the console or engine that runs on a data folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from engine.domain.errors import PaddockError, UnavailableError
from engine.installation import door_path

if TYPE_CHECKING:
    from engine.orchestrator.door import Answer, ProcessAnswer

ANSWERS_WITHIN = 60.0
"""Seconds: a process that is stopped may take its whole deadline."""
_COLOURS = {"RUNNING": "green", "FATAL": "red", "STUCK": "red", "UNRESPONSIVE": "red", "BACKOFF": "yellow"}
_LEVELS = {"error": "red", "critical": "red", "warning": "yellow"}


def show(data: Path, *, as_json: bool) -> None:
    """Raises UnavailableError when nothing runs on the folder."""
    rows = _processes(data, "ps", [])
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows)).decode())
        return
    _table(rows)


def command(data: Path, verb: str, names: list[str], *, confirmed: bool = False) -> int:
    """Do it and print how the processes stand then; 1 when one of them did not end as asked."""
    rows = _processes(data, verb, names, confirmed=confirmed)
    _table(rows)
    wanted = {"STOPPED", "EXITED"} if verb == "stop" else {"RUNNING", "EXITED"}
    return int(any(row.state not in wanted for row in rows))


def logs(data: Path, name: str, *, lines: int, follow: bool) -> None:
    with suppress(KeyboardInterrupt, BrokenPipeError):
        for answer in ask(data, None if follow else ANSWERS_WITHIN, "logs", [name], lines=lines, follow=follow):
            if (line := answer.line) is not None:
                at = datetime.fromtimestamp(line.timestamp / 1e9).astimezone()
                level = typer.style(f"{line.level:8}", fg=_LEVELS.get(line.level))
                typer.echo(f"{at:%H:%M:%S.%f}"[:-3] + f" {level} {line.logger:12} {line.text}")


def _processes(data: Path, verb: str, names: list[str], *, confirmed: bool = False) -> list[ProcessAnswer]:
    for answer in ask(data, ANSWERS_WITHIN, verb, names, confirmed=confirmed):
        return answer.processes or []
    raise UnavailableError("The engine ended before it answered.", "Start it again: paddock, or paddock headless.")


def ask(data: Path, timeout: float | None, verb: str, names: list[str], **said: bool | int) -> Iterator[Answer]:
    """Raises what the engine refuses with, and UnavailableError when there is none or it does not answer."""
    from engine.orchestrator.door import Answer, Request

    request = msgspec.convert({"command": verb, "names": names, **said}, Request)
    with closing(_connect(door_path(data), data)) as connection, connection.makefile("rb") as answers:
        connection.settimeout(timeout)
        connection.sendall(msgspec.json.encode(request) + b"\n")
        try:
            for line in answers:
                answer = msgspec.json.decode(line, type=Answer)
                if answer.error:
                    raise PaddockError(answer.error, answer.remedy)
                yield answer
        except TimeoutError:
            raise UnavailableError(
                f"The engine did not answer within {timeout:g} s.",
                "Look at its window, or at its log in the data folder.",
            ) from None


def _connect(path: Path, data: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWERS_WITHIN)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise UnavailableError(
            f"No console or engine runs on {data} ({error.strerror or error}).",
            "Start one with paddock or paddock headless, or name its folder: --data DIR.",
        ) from None
    return connection


def _table(rows: list[ProcessAnswer]) -> None:
    width = max((len(row.name) for row in rows), default=4)
    typer.echo(
        f"{'NAME':{width}}  {'STATE':12} {'PID':>7} {'UPTIME':>9} {'RESTARTS':>8} {'CPU %':>6} {'MEMORY':>8} {'PROGRESS':>9}"
    )
    for row in rows:
        state = typer.style(f"{row.state:12}", fg=_COLOURS.get(row.state))
        memory = f"{row.rss_bytes / 1e6:.0f} MB" if row.rss_bytes else "–"
        typer.echo(
            f"{row.name:{width}}  {state} {row.pid or '–':>7} {_duration(row.uptime_s):>9} {row.restarts:>8}"
            f" {row.cpu_percent:>6.1f} {memory:>8} {_duration(row.last_progress_s):>9}"
        )


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}" if minutes else f"{seconds:.0f} s"
