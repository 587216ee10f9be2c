"""Proves a backup whole: every checksum, every database opened, the journal's chain of hashes followed to its end."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.domain.errors import DataError, PaddockError, UnavailableError
from engine.storage import sqlite_files, trail
from engine.storage.backup.lake_list import read_list
from engine.storage.backup.manifest import LAKE_LIST, MARKET, SERVER_DUMP, Manifest, Part, part_of, read_manifest

JOURNAL = "orders.db"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """`damaged` names each part that is not what was saved, with what is wrong; `unknown` what cannot be checked here."""

    manifest: Manifest
    damaged: dict[str, str]
    unknown: dict[str, str]

    def refuse_damage(self, folder: Path) -> None:
        """Raises DataError that names every damaged part."""
        if self.damaged:
            parts = "; ".join(f"{name} {what}" for name, what in self.damaged.items())
            raise DataError(
                f"The backup {folder} is damaged: {parts}.",
                "Use another backup. Keep this one until it is replaced: what is not named here is whole.",
            )


def verify(folder: Path) -> Checked:
    """Changes nothing. Raises DataError for what is no backup, or has no manifest that can be believed."""
    manifest = read_manifest(folder)
    damaged = {part.name: what for part in manifest.parts if (what := _difference(folder, part))}
    damaged |= dict(_inside(folder, manifest, damaged))
    unknown: dict[str, str] = {}
    market = MARKET if manifest.has(MARKET) else SERVER_DUMP
    if manifest.has(market) and market not in damaged:
        _check_market(folder / market, damaged, unknown)
    return Checked(manifest=manifest, damaged=damaged, unknown=unknown)


def _difference(folder: Path, part: Part) -> str:
    path = folder / part.name
    try:
        if path.is_symlink() or not path.is_file():
            return "is missing"
        found = part_of(folder, part.name)
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if found.size_bytes != part.size_bytes:
        return f"has {found.size_bytes:,} bytes instead of {part.size_bytes:,}"
    return "" if found == part else "is not the file that was written (SHA-256)"


def _inside(folder: Path, manifest: Manifest, damaged: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong within files whose checksums are right: they were damaged before, or somebody forged the manifest."""
    for part in manifest.parts:
        if part.name in damaged or not part.name.endswith(".db") or part.name == MARKET:
            continue
        if (what := _database(folder / part.name)) or (
            part.name == JOURNAL and (what := _journal(folder / part.name, manifest))
        ):
            yield part.name, what
    if not manifest.has(JOURNAL):
        yield JOURNAL, "is missing"
    if manifest.has(LAKE_LIST) and LAKE_LIST not in damaged and read_list(folder / LAKE_LIST) is None:
        yield LAKE_LIST, "cannot be read"


def _database(path: Path) -> str:
    try:
        with contextlib.closing(sqlite_files.open_to_read(path)) as database:
            return sqlite_files.damage(database)
    except sqlite3.Error as error:
        return f"cannot be opened ({error})"


def _journal(path: Path, manifest: Manifest) -> str:
    try:
        rows, last_hash = trail.verify(path)
    except (DataError, sqlite3.Error) as error:
        return error.message if isinstance(error, DataError) else str(error)
    if (rows, last_hash.hex()) != (manifest.journal_rows, manifest.journal_hash):
        return f"ends at row {rows:,} and not with the hash that the manifest names"
    return ""


def _check_market(path: Path, damaged: dict[str, str], unknown: dict[str, str]) -> None:
    from engine.storage.market.backup import verify_backup

    try:
        verify_backup(path)
    except UnavailableError as error:
        unknown[path.name] = error.message
    except PaddockError as error:
        damaged[path.name] = error.message
