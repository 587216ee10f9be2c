"""What stands beside a backup: its length and SHA-256, by which it is known to be whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec

from engine.domain.errors import DataError


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
    size, digest = _measure(backup)
    manifest = Manifest(kind=kind, version=version, made_at=made_at, size_bytes=size, sha256=digest, rows=rows)
    place = manifest_of(backup)
    partial = place.with_name(place.name + ".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    sync(partial)
    partial.replace(place)
    sync(place.parent)
    return manifest


def checked_manifest(backup: Path) -> Manifest:
    """Raises DataError when the backup or its manifest is missing, or the two do not belong together."""
    try:
        manifest = msgspec.json.decode(manifest_of(backup).read_bytes(), type=Manifest)
        measured = _measure(backup)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(
            f"The backup {backup} or its manifest {manifest_of(backup).name} cannot be read: {error}.",
            "Both files belong together: copy both, or take another backup.",
        ) from None
    if measured != (manifest.size_bytes, manifest.sha256):
        raise DataError(f"The backup {backup} is damaged: it is not the file that was written.", "Take another backup.")
    return manifest


def sync(path: Path) -> None:
    """To the disk; of a folder its names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _measure(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest
