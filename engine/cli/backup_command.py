"""The options of `paddock backup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import Data, Live, Paper, report_errors

if TYPE_CHECKING:
    from engine.config import Settings

backup_app = typer.Typer(
    help="Save everything of an installation that you would miss, prove it, and put it back.", no_args_is_help=True
)
Backup = Annotated[Path, typer.Argument(help="The folder that `paddock backup create` wrote.")]


@backup_app.command("create")
@report_errors
def backup_create(
    to: Annotated[Path | None, typer.Option("--to", help="Folder to write it in; else that of [backup].")] = None,
    market: Annotated[bool, typer.Option(help="With the market database, which may be large.")] = True,
    lake: Annotated[bool, typer.Option("--lake", help="With the lake's files, not only their list.")] = False,
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
) -> None:
    """Make one, also while the console or engine runs; it is not held up."""
    from engine.cli.backup import make

    make(_settings(data, paper, live), to, market=market, lake=lake)


@backup_app.command("verify")
@report_errors
def backup_verify(backup: Backup) -> None:
    """Prove one whole: every checksum, every database opened, the journal's chain of hashes."""
    from engine.cli.backup import check

    check(backup)


@backup_app.command("restore")
@report_errors
def backup_restore(
    backup: Backup,
    data: Data = None,
    force: Annotated[bool, typer.Option("--force", help="Also where there is something; it is kept aside.")] = False,
) -> None:
    """Put one into a data folder that no console or engine uses, and prove that it is there."""
    from engine.cli.backup import put_back

    put_back(_settings(data, False, False), backup, force=force)


def _settings(data: Path | None, paper: bool, live: bool) -> Settings:
    from engine.config import load_settings

    return load_settings(data, {"environment": "live" if live else "paper" if paper else None})
