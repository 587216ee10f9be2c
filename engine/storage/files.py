"""What a file on the disk is known by, and how it is made sure that it is there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def sync(path: Path) -> None:
    """To the disk; of a folder its names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def measure(path: Path) -> tuple[int, str]:
    """Length in bytes and SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return path.stat().st_size, digest


def write_whole(place: Path, content: bytes) -> None:
    """The old content or the new one, never a part; on the disk on return."""
    partial = place.with_name(place.name + ".partial")
    partial.write_bytes(content)
    sync(partial)
    partial.replace(place)
    sync(place.parent)
