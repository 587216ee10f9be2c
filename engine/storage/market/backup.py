"""Backs up, restores and checks the market database: SQLite by its online backup, PostgreSQL by pg_dump.

A backup is written under another name and takes its own only when it is whole and on the disk. Restoring moves the
database that is there aside; it deletes nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from engine.domain.errors import DataError
from engine.storage import disk, sqlite_files
from engine.storage.files import sync
from engine.storage.market import server_backup
from engine.storage.market.address import MarketAddress
from engine.storage.market.manifest import Manifest, checked_manifest, write_manifest
from engine.storage.market.rows import KEYS
from engine.storage.market.sqlite import refuse_newer, version_of

NOT_COUNTED: tuple[str | None, dict[str, int]] = (None, {})


def backup(address: MarketAddress, target: Path, now: int, look: Callable[[], None] = lambda: None) -> Manifest:
    """Also while the recorder writes. `look` is called now and then; what it raises ends it. Raises DataError."""
    if target.exists():
        raise DataError(f"{target} exists already.", "Name a new file.")
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if address.is_postgres:
            server_backup.dump(address, partial)
            kind, (version, rows) = "PostgreSQL", NOT_COUNTED
        else:
            _copy(Path(address.path), partial, look)
            kind, (version, rows) = "SQLite", inspect(partial)
        sync(partial)
        partial.replace(target)
        return write_manifest(target, kind, version, now, rows)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and not disk.refused(error):
            raise DataError(
                f"{address.shown} cannot be read: {error}.",
                "It holds market data only: restore a backup (paddock db restore FILE), or move it aside.",
            ) from error
        raise DataError(
            f"The backup {target} cannot be written: {error}.", "Free space or choose another place."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def verify_backup(path: Path) -> Manifest:
    """Checks the bytes by their checksum, and that the database inside is whole. Raises DataError."""
    manifest = checked_manifest(path)
    if manifest.kind == "PostgreSQL":
        server_backup.check(path)
    elif inspect(path) != (manifest.version, manifest.rows):
        raise DataError(f"The backup {path} does not hold the rows that its manifest names.", "Take another backup.")
    return manifest


def restore(address: MarketAddress, source: Path, now: int) -> tuple[Manifest, Path | None]:
    """Puts a verified backup in the place of the database, and tells where what was there went.

    Nobody may use the database meanwhile. Raises DataError.
    """
    manifest = verify_backup(source)
    if (manifest.kind == "PostgreSQL") != address.is_postgres:
        raise DataError(
            f"{source} is a backup of {manifest.kind}; the configuration names {address.shown}.",
            "Change market_database.url, or choose another backup.",
        )
    refuse_newer(manifest.version)
    if address.is_postgres:
        server_backup.restore(address, source)
        return manifest, None
    try:
        return manifest, _replace(Path(address.path), source, now)
    except (OSError, sqlite3.Error) as error:
        raise DataError(
            f"{address.path} cannot be replaced: {error}.", "Free space on the disk; nothing was lost."
        ) from error


def inspect(path: Path) -> tuple[str | None, dict[str, int]]:
    """The form and the rows by table of a file that is whole. Raises DataError; changes nothing."""
    try:
        with contextlib.closing(sqlite_files.open_to_read(path)) as database:
            if wrong := sqlite_files.damage(database):
                raise DataError(f"{path} is damaged: {wrong}.", "Restore a backup: paddock db restore FILE.")
            names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            rows = {
                name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in KEYS if name in names
            }
            return version_of(database), rows
    except sqlite3.Error as error:
        raise DataError(f"{path} cannot be read: {error}.", "Restore a backup: paddock db restore FILE.") from error


def _copy(source: Path, target: Path, look: Callable[[], None] = lambda: None) -> None:
    if not source.is_file():
        raise DataError(f"There is no market database at {source}.", "The recorder makes it when it first runs.")
    sqlite_files.copy(source, target, look)


def _replace(place: Path, source: Path, now: int) -> Path | None:
    partial = place.with_name(f"{place.name}.restoring")
    place.parent.mkdir(parents=True, exist_ok=True)
    _copy(source, partial)
    sync(partial)
    aside = _move_aside(place, now)
    partial.replace(place)
    sync(place.parent)
    return aside


def _move_aside(place: Path, now: int) -> Path | None:
    """With its log, which holds what was written last."""
    aside = place.with_name(f"{place.name}.before-{now // 1_000_000_000}")
    for ending in ("", "-wal", "-shm"):
        file = place.with_name(place.name + ending)
        if file.exists():
            file.rename(aside.with_name(aside.name + ending))
    return aside if aside.exists() else None
