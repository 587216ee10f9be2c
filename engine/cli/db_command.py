"""The options of `paddock db`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import Data, Live, Paper, Replay, report_errors

if TYPE_CHECKING:
    from engine.config import Settings

db_app = typer.Typer(help="Look after the market database: candles, quotes, indicators, signals.", no_args_is_help=True)


@db_app.command("status")
@report_errors
def db_status(data: Data = None, paper: Paper = False, live: Live = False, replay: Replay = None) -> None:
    """Print where it is, its form, its size and the rows of each table. Changes nothing."""
    from engine.cli.db import address_of, status

    status(address_of(_settings(data, paper, live, replay)))


@db_app.command("upgrade")
@report_errors
def db_upgrade(data: Data = None, paper: Paper = False, live: Live = False, replay: Replay = None) -> None:
    """Bring it to the form that this version writes; the recorder does it too when it starts."""
    from engine.cli.db import address_of, upgrade

    upgrade(address_of(_settings(data, paper, live, replay)))


@db_app.command("backup")
@report_errors
def db_backup(
    target: Annotated[Path, typer.Argument(help="The file to write; a manifest FILE.json is put beside it.")],
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
    replay: Replay = None,
) -> None:
    """Copy it to a file, also while the console runs."""
    from engine.cli.db import address_of, back_up

    back_up(address_of(_settings(data, paper, live, replay)), target)


@db_app.command("verify")
@report_errors
def db_verify(
    backup: Annotated[Path | None, typer.Argument(help="A backup; without it the database itself.")] = None,
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
    replay: Replay = None,
) -> None:
    """Prove that a backup, or the database, is whole."""
    from engine.cli.db import address_of, check

    check(address_of(_settings(data, paper, live, replay)), backup)


@db_app.command("restore")
@report_errors
def db_restore(
    source: Annotated[Path, typer.Argument(help="A backup made by `paddock db backup`.")],
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
    replay: Replay = None,
) -> None:
    """Put a backup in its place. No console may run; a file that was there is kept under another name."""
    from engine.cli.db import put_back

    put_back(_settings(data, paper, live, replay), source)


def _settings(data: Path | None, paper: bool, live: bool, replay: Path | None) -> Settings:
    from engine.config import load_settings

    name = "live" if live else "paper" if paper else None
    return load_settings(data, {"environment": name, "exchange": {"replay": replay}})
