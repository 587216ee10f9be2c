"""`paddock backup`: make, prove and put back a backup of everything of one installation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import typer

from engine.clock import SystemClock
from engine.config.settings import Settings
from engine.domain.errors import UnavailableError
from engine.storage.backup.create import create
from engine.storage.backup.manifest import Manifest
from engine.storage.backup.restore import restore
from engine.storage.backup.source import source_of
from engine.storage.backup.verify import verify


def make(settings: Settings, to: Path | None, *, market: bool, lake: bool) -> None:
    """Raises UnavailableError for one that is there but lacks something."""
    source = source_of(settings, market=market, lake=lake)
    folder = to or settings.backup.folder or source.installation.backups
    path, manifest = create(source, folder, SystemClock().now())
    typer.echo(f"{path}: {_described(manifest)}")
    for what, why in manifest.left_out.items():
        typer.echo(f"Not in it: {what}, {why}.")
    if manifest.failed:
        raise UnavailableError(
            "It was made, but without " + "; ".join(f"the {what}: {why}" for what, why in manifest.failed.items()),
            "Everything else is saved. Mend it, and make another one.",
        )


def check(backup: Path) -> None:
    """Raises DataError that names what is damaged."""
    checked = verify(backup)
    for part in checked.manifest.parts:
        word = "DAMAGED" if part.name in checked.damaged else "unknown" if part.name in checked.unknown else "whole"
        typer.echo(f"{word:8} {part.size_bytes:>14,} {part.name}")
    for name, why in checked.unknown.items():
        typer.echo(f"{name} could not be checked here: {why}")
    checked.refuse_damage(backup)
    typer.echo(f"{backup}: whole, {_described(checked.manifest)}")


def put_back(settings: Settings, backup: Path, *, force: bool) -> None:
    done = restore(backup, settings, SystemClock().now(), force=force)
    typer.echo(f"{done.folder}: restored and proved, {_described(done.manifest)}")
    if done.aside is not None:
        typer.echo(f"What was there is now {done.aside}; delete it when you no longer need it.")
    for note in done.notes:
        typer.echo(note)
    typer.echo("At its next start the engine compares itself with the venue and takes in what happened since.")


def _described(manifest: Manifest) -> str:
    made = datetime.fromtimestamp(manifest.made_at / 1e9).astimezone()
    return (
        f"{manifest.environment} of {made:%Y-%m-%d %H:%M:%S}, {len(manifest.parts)} files, "
        f"{manifest.size_bytes / 1e6:,.1f} MB, journal of {manifest.journal_rows:,} rows that ends {manifest.journal_hash[:16]}"
    )
