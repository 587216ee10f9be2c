"""Snapshots of a state on disk: each written whole or not at all, told good from bad, kept for a day.

A file is a header (magic, version, length, SHA-256) and the payload. It is written beside its place, synced, moved
there, and the folder synced; so a process that is killed at any moment leaves the files before it as they were. What
cannot be read is set aside under another name, for whoever looks into it, and the one before it is taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS

VERSION = 1
KEEP = 24 * 3600 * NANOSECONDS
MOST = 2_000
"""Files; the oldest leave first."""
LEAST = 2
"""The newest are kept however old they are."""
MOST_DAMAGED = 20

_HEADER = struct.Struct(">8sIQ32s")
_MAGIC = b"PADDOCKS"
_ENDING, _PARTIAL, _DAMAGED = ".snapshot", ".partial", ".damaged"


class Loaded(msgspec.Struct, frozen=True):
    """The newest good payload, None where there is none; the files that were damaged, now set aside."""

    payload: bytes | None
    taken_at: int = 0
    damaged: tuple[str, ...] = ()


class SnapshotStore:
    """Not for two processes at once. No method is for the event loop: each waits for the disk."""

    def __init__(self, folder: Path, keep: int = KEEP) -> None:
        """`keep` in nanoseconds."""
        self._folder = folder
        self._keep = keep

    def save(self, payload: bytes, now: int) -> Path:
        """Durable on return. Raises DataError when it cannot be written; what was there stays."""
        place = self._folder / f"{now:020d}{_ENDING}"
        partial = place.with_suffix(_PARTIAL)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(partial, _header(payload), payload)
            partial.replace(place)
            _sync_folder(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise DataError(
                f"The snapshot {place.name} cannot be written: {error.strerror or error}.",
                "Free space on the disk; nothing is lost, the order journal has everything.",
            ) from error
        self._tidy(now)
        return place

    def load(self) -> Loaded:
        """Never raises: without a good snapshot there is still the journal."""
        damaged: list[str] = []
        for place in reversed(self._files()):
            payload = _read(place)
            if payload is not None:
                return Loaded(payload, int(place.stem), tuple(damaged))
            damaged.append(place.name)
            self.set_aside(int(place.stem))
        return Loaded(None, 0, tuple(damaged))

    def set_aside(self, taken_at: int) -> None:
        """Keep a file under a name by which it is not loaded again."""
        place = self._folder / f"{taken_at:020d}{_ENDING}"
        with contextlib.suppress(OSError):
            place.replace(place.with_suffix(_DAMAGED))

    def _tidy(self, now: int) -> None:
        names = self._names()
        good = [name for name in names if _is_snapshot(name)]
        old = {name for name in good[:-LEAST] if int(name.removesuffix(_ENDING)) < now - self._keep}
        old.update(good[:-MOST])
        old.update([name for name in names if name.endswith(_DAMAGED)][:-MOST_DAMAGED])
        old.update(name for name in names if name.endswith(_PARTIAL) and name < f"{now:020d}")
        for name in old:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def _files(self) -> list[Path]:
        """Oldest first."""
        return [self._folder / name for name in self._names() if _is_snapshot(name)]

    def _names(self) -> list[str]:
        """Everything in the folder, which bears the time at the beginning of its name; none while there is no folder."""
        with contextlib.suppress(OSError):
            return sorted(place.name for place in self._folder.iterdir())
        return []


def _is_snapshot(name: str) -> bool:
    return name.endswith(_ENDING) and name.removesuffix(_ENDING).isdigit()


def _header(payload: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, VERSION, len(payload), hashlib.sha256(payload).digest())


def _write(place: Path, *parts: bytes) -> None:
    with place.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _read(place: Path) -> bytes | None:
    """None for what is not whole."""
    try:
        content = place.read_bytes()
        magic, version, length, digest = _HEADER.unpack_from(content)
    except (OSError, struct.error):
        return None
    payload = content[_HEADER.size :]
    good = (magic, version, length) == (_MAGIC, VERSION, len(payload)) and hashlib.sha256(payload).digest() == digest
    return payload if good else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
