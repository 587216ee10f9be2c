"""The backups in a folder: the newest, and those that are old enough to go."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from engine.domain.errors import DataError
from engine.storage.backup.manifest import FILE, Manifest, read_manifest

_PARTIAL = re.compile(r"\.paddock-\w+-\w+\.partial-(\d+)")


def backups(folder: Path, environment: str) -> list[tuple[Path, Manifest]]:
    """Those of an environment whose manifest can be believed, oldest first. Raises OSError."""
    found = []
    for path in folder.glob(f"paddock-{environment}-*"):
        try:
            manifest = read_manifest(path)
        except DataError:
            continue
        if manifest.environment == environment:
            found.append((path, manifest))
    return sorted(found, key=lambda one: one[1].made_at)


def thin_out(folder: Path, environment: str, keep: int) -> list[Path]:
    """Delete the oldest of those that the engine made by itself, and what an interrupted one left. Raises OSError."""
    own = [path for path, manifest in backups(folder, environment) if manifest.scheduled]
    gone = own[:-keep]
    for path in gone:
        # Without its manifest it is no backup any more, should we be interrupted.
        (path / FILE).unlink()
        shutil.rmtree(path)
    for path in folder.glob(".paddock-*.partial-*"):
        if (name := _PARTIAL.fullmatch(path.name)) and not _is_alive(int(name[1])):
            shutil.rmtree(path)
    return gone


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
