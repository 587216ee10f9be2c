"""The options of `paddock ps`, `start`, `stop`, `restart`, `logs` and `capacity`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Data

Names = Annotated[list[str], typer.Argument(help="Processes, groups of them, or all.")]
Yes = Annotated[bool, typer.Option("--yes", help="A critical process too, although positions are open.")]


def ps(data: Data = None, json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """List the processes of the console or engine that runs on the data folder."""
    from engine.cli.processes import show

    show(_folder(data), as_json=json)


def start(names: Names, data: Data = None) -> None:
    """Start processes of the console or engine that runs."""
    from engine.cli.processes import command

    raise typer.Exit(command(_folder(data), "start", names))


def stop(names: Names, data: Data = None, yes: Yes = False) -> None:
    """Stop processes of the console or engine that runs; it goes on itself."""
    from engine.cli.processes import command

    raise typer.Exit(command(_folder(data), "stop", names, confirmed=yes))


def restart(names: Names, data: Data = None, yes: Yes = False) -> None:
    """Stop processes of the console or engine that runs, and start them again."""
    from engine.cli.processes import command

    raise typer.Exit(command(_folder(data), "restart", names, confirmed=yes))


def logs(
    name: Annotated[str, typer.Argument(help="A process, as paddock ps names it.")],
    data: Data = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl+C.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, help="How many of the newest first.")] = 50,
) -> None:
    """Print what a process of the console or engine that runs has said."""
    from engine.cli.processes import logs as tell_log

    tell_log(_folder(data), name, lines=lines, follow=follow)


def capacity(data: Data = None, json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Print how many feed workers the load needs now and at its expected peak, and why."""
    from engine.cli.capacity import show

    show(_folder(data), as_json=json)


def _folder(data: Path | None) -> Path:
    from engine.config import load_settings

    return load_settings(data).data
