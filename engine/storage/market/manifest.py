"""What stands beside a backup: its length and SHA-256, by which it is known to be whole."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.storage.files import measure, write_whole


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    """SQLite or PostgreSQL; one is not restored into the other."""
    version: str | None
    """Of the form of the database (see schema.py)."""
    made_at: int
    """Int nanoseconds UTC."""
    size_bytes: int
    sha256: str
    rows: dict[str, int]
    """By table; of PostgreSQL an estimate."""


def manifest_of(backup: Path) -> Path:
    return backup.with_name(backup.name + ".json")


def write_manifest(backup: Path, kind: str, version: str | None, made_at: int, rows: dict[str, int]) -> Manifest:
    size, digest = measure(backup)
    manifest = Manifest(kind=kind, version=version, made_at=made_at, size_bytes=size, sha256=digest, rows=rows)
    write_whole(manifest_of(backup), msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def checked_manifest(backup: Path) -> Manifest:
    """Raises DataError when the backup or its manifest is missing, or the two do not belong together."""
    try:
        manifest = msgspec.json.decode(manifest_of(backup).read_bytes(), type=Manifest)
        measured = measure(backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(
            f"The backup {backup} or its manifest {manifest_of(backup).name} cannot be read: {error}.",
            "Both files belong together: copy both, or take another backup.",
        ) from None
    if measured != (manifest.size_bytes, manifest.sha256):
        raise DataError(f"The backup {backup} is damaged: it is not the file that was written.", "Take another backup.")
    return manifest
