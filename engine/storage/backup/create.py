"""Makes a backup, also while the engine runs: aside, and in its place only when all of it is on the disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from engine import __version__
from engine.domain.errors import DataError, UnavailableError
from engine.storage import disk
from engine.storage.backup.lake_list import LakeList, lake_paths
from engine.storage.backup.manifest import FORM, Manifest, part_of, write_manifest
from engine.storage.backup.parts import Writing
from engine.storage.backup.source import Source
from engine.storage.files import sync

FULL = "Free space there, or choose another place with --to or [backup] folder."


def create(
    source: Source,
    folder: Path,
    now: int,
    *,
    scheduled: bool = False,
    known: LakeList | None = None,
    look: Callable[[], None] = lambda: None,
) -> tuple[Path, Manifest]:
    """A new backup below `folder`, named by environment and time; `known` spares reading files of the lake again.

    Not for the event loop. Raises DataError for what is damaged or missing, UnavailableError for a disk that refuses.
    """
    target = folder / backup_name(source.environment, now)
    _refuse(source, folder, target)
    partial = folder / f".{target.name}.partial-{os.getpid()}"
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _refuse_without_room(source, folder)
        try:
            partial.mkdir(mode=0o700)
            manifest = _write(Writing(source, partial, now, look), source.environment, now, scheduled, known)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync(folder)
    return target, manifest


def backup_name(environment: str, now: int) -> str:
    return f"paddock-{environment}-{datetime.fromtimestamp(now // 1_000_000_000, UTC):%Y%m%dT%H%M%SZ}"


def _write(writing: Writing, environment: str, now: int, scheduled: bool, known: LakeList | None) -> Manifest:
    writing.write(known)
    partial, (rows, last_hash) = writing.folder, writing.journal
    manifest = Manifest(
        form=FORM,
        paddock=__version__,
        environment=environment,
        made_at=now,
        journal_rows=rows,
        journal_hash=last_hash,
        parts=[part_of(partial, name) for name in writing.parts if (partial / name).is_file()],
        left_out=writing.left_out,
        failed=writing.failed,
        scheduled=scheduled,
    )
    write_manifest(partial, manifest)
    for path in partial.rglob("*/"):
        sync(path)
    return manifest


def _refuse(source: Source, folder: Path, target: Path) -> None:
    installation = source.installation
    if not installation.journal.is_file():
        raise DataError(
            f"There is nothing to back up: {installation.journal} does not exist.",
            "Name the installation's folder with --data, and --paper or --live for those accounts.",
        )
    if folder.absolute().is_relative_to(installation.folder.absolute()):
        raise DataError(f"{folder} lies within what is backed up.", "Choose a folder elsewhere, best on another disk.")
    if target.exists():
        raise DataError(f"{target} exists already.", "Wait a second, or choose another folder.")


def _refuse_without_room(source: Source, folder: Path) -> None:
    needed, free = size_of(source), shutil.disk_usage(folder).free
    if needed > free:
        raise UnavailableError(
            f"A backup needs about {needed / 1e6:,.1f} MB and {folder} has room for {free / 1e6:,.1f} MB.", FULL
        )


def size_of(source: Source) -> int:
    """Bytes, about; a database on a server is not counted."""
    installation = source.installation
    paths = [installation.journal, installation.incidents, installation.dead_letters]
    paths += [*installation.exchange.glob("*.db"), *installation.backtests.rglob("*")]
    if source.market is not None and not source.market.is_postgres:
        paths.append(Path(source.market.path))
    if source.with_lake:
        paths += lake_paths(Path(source.lake.url))
    return sum(path.stat().st_size for path in paths if path.is_file())


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) or disk.refused(error):
            raise UnavailableError(f"The backup in {folder} cannot be written: {said}.", FULL) from error
        raise DataError(
            f"The backup in {folder} cannot be made: {said}.",
            "A file of the installation is damaged: `paddock journal verify` and `paddock db verify` name it.",
        ) from error
