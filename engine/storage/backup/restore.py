"""Puts a backup into a data folder: built aside, proved, and put in its place at once; what was there is kept.

Nobody may use the data folder meanwhile: the lock of the installation is held. Files that a backup does not bring, such
as the lake and the logs, stay where they were.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine import __version__
from engine.config.settings import Settings
from engine.domain.errors import DataError, UnavailableError
from engine.installation import Installation
from engine.storage import trail
from engine.storage.backup.lake_list import differing, read_list
from engine.storage.backup.manifest import (
    LAKE_LIST,
    MARKET,
    NOT_INSTALLED,
    SERVER_DUMP,
    Manifest,
    part_of,
)
from engine.storage.backup.restored_settings import put_settings
from engine.storage.backup.verify import JOURNAL, verify
from engine.storage.files import sync
from engine.storage.market.address import MarketAddress

STAYS = ("lake", "logs", "backtests", MARKET)
"""Kept in its place where the backup has none of it."""
SKELETON = frozenset({"logs", "run"})
"""Folders whose files nobody would miss."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    manifest: Manifest
    folder: Path
    aside: Path | None
    """Where what was there is now."""
    notes: list[str]
    """What a person should still know or do."""


def restore(backup: Path, settings: Settings, now: int, *, force: bool = False) -> Restored:
    """Into the data folder of `settings`, and the market database where they want it.

    Raises AlreadyRunningError under a running engine, DataError for a damaged backup or a folder in use without `force`,
    UnavailableError for a disk that refuses. Until it returns, what was there is in its place or aside, whole.
    """
    checked = verify(backup)
    checked.refuse_damage(backup)
    manifest = checked.manifest
    _refuse_newer(manifest, backup)
    data, installation = settings.data, Installation(settings.data, manifest.environment)
    notes = [f"{name} could not be checked: {why}" for name, why in checked.unknown.items()]
    with installation.locked(), _explained(data):
        _refuse_occupied(installation.folder, force)
        _refuse_without_room(manifest, data)
        building = data / f".{manifest.environment}.restoring-{os.getpid()}"
        try:
            _build(backup, building, manifest)
            _prove(building, manifest)
            notes += _put_on_server(backup, manifest, settings, now, force)
            aside = _switch(building, installation.folder, manifest, now)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        notes += put_settings(backup, data, manifest)
        notes += _lake_notes(backup, settings.lake.url, installation.lake, manifest)
    return Restored(manifest=manifest, folder=installation.folder, aside=aside, notes=notes)


def _build(backup: Path, building: Path, manifest: Manifest) -> None:
    building.mkdir(mode=0o700)
    for part in manifest.parts:
        if part.name in NOT_INSTALLED or part.name == f"{MARKET}.json" or part.name == f"{SERVER_DUMP}.json":
            continue
        target = building / part.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(backup / part.name, target)
        sync(target)


def _switch(building: Path, place: Path, manifest: Manifest, now: int) -> Path | None:
    """Two renames; should the second fail, the first is taken back."""
    aside = place.with_name(f"{place.name}.before-{now // 1_000_000_000}")
    had = place.exists()
    if had:
        place.rename(aside)
    try:
        building.rename(place)
    except OSError:
        if had:
            aside.rename(place)
        raise
    if had:
        _bring_over(aside, place, manifest)
    sync(place.parent)
    if not had or not _files(aside):
        shutil.rmtree(aside, ignore_errors=True)
        return None
    return aside


def _bring_over(aside: Path, place: Path, manifest: Manifest) -> None:
    for name in STAYS:
        brought = any(part.name == name or part.name.startswith(f"{name}/") for part in manifest.parts)
        if brought:
            continue
        for ending in ("", "-wal", "-shm"):
            if (aside / (name + ending)).exists():
                (aside / (name + ending)).rename(place / (name + ending))


def _put_on_server(backup: Path, manifest: Manifest, settings: Settings, now: int, force: bool) -> list[str]:
    if not manifest.has(SERVER_DUMP):
        return []
    dump, url = backup / SERVER_DUMP, settings.market_database.url.get_secret_value()
    if not url:
        return [f"The market database was on PostgreSQL: set market_database.url, then paddock db restore {dump}"]
    market = MarketAddress(url=url)
    from engine.storage.market import backup as market_backup
    from engine.storage.market import server_backup

    notes = [f"The market database was restored to {market.shown}."]
    if server_backup.has_tables(market):
        if not force:
            raise DataError(
                f"{market.shown} holds a market database already.",
                "Say --force to replace it; what is there is saved first. Or name another in market_database.url.",
            )
        kept = settings.data / f"{SERVER_DUMP}.before-{now // 1_000_000_000}"
        market_backup.backup(market, kept, now)
        notes.append(f"What was there is now {kept}; delete it when you no longer need it.")
    market_backup.restore(market, dump, now)
    return notes


def _prove(folder: Path, manifest: Manifest) -> None:
    """That the disk kept what was saved. Raises DataError."""
    parts = [part for part in manifest.parts if (folder / part.name).is_file()]
    wrong = [part.name for part in parts if part_of(folder, part.name) != part]
    rows, last_hash = trail.verify(folder / JOURNAL)
    if wrong or (rows, last_hash.hex()) != (manifest.journal_rows, manifest.journal_hash):
        raise DataError(
            f"The disk did not keep what was restored: {', '.join(wrong) or JOURNAL}. Nothing was changed.",
            "Check the disk, or restore to another one.",
        )


def _lake_notes(backup: Path, url: str, own: Path, manifest: Manifest) -> list[str]:
    found = read_list(backup / LAKE_LIST) if manifest.has(LAKE_LIST) else None
    if found is None:
        return []
    if "://" in found.where:
        return [f"The lake is at {found.where}; its files are not part of the backup."]
    if url and any(part.name.startswith("lake/") for part in manifest.parts):
        return [f"The lake's files are in {own}; [lake] url names {url}."]
    missing = differing(found.files, Path(url) if url else own)
    if not missing:
        return []
    return [f"{len(missing):,} of the lake's {len(found.files):,} files are not here: paddock history download."]


def _refuse_newer(manifest: Manifest, backup: Path) -> None:
    if _numbers(manifest.paddock) > _numbers(__version__):
        raise DataError(
            f"Paddock {manifest.paddock} made {backup}; this is {__version__}.", "Install that version, or a newer one."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _refuse_occupied(folder: Path, force: bool) -> None:
    if not force and _files(folder):
        raise DataError(
            f"{folder} holds an installation already.",
            "Restore into a new data folder (--data DIR), or say --force: what is there is kept aside.",
        )


def _files(folder: Path) -> bool:
    """Whether anything is there that somebody would miss."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return any(path.relative_to(folder).parts[0] not in SKELETON for path in paths)


def _refuse_without_room(manifest: Manifest, data: Path) -> None:
    needed, free = manifest.size_bytes, shutil.disk_usage(data).free
    if needed > free:
        raise UnavailableError(
            f"The backup needs {needed / 1e6:,.1f} MB and {data} has room for {free / 1e6:,.1f} MB.",
            "Free space on the disk, or name a data folder on another one.",
        )


@contextlib.contextmanager
def _explained(data: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UnavailableError(
            f"{data} cannot be written: {said}.",
            "Free space there and check that you may write to it; nothing was lost.",
        ) from error
