"""What a backup says of itself: its parts with their SHA-256, the versions, the time, and where the journal ends.

A backup is a folder laid out like the installation's, with manifest.json and, for `sha256sum -c`, the manifest's own
checksum beside it.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import msgspec

from engine.domain.errors import DataError
from engine.storage.files import measure, write_whole

FORM = 1
FILE = "manifest.json"
CHECKSUM = "manifest.json.sha256"
MARKET, SERVER_DUMP = "market.db", "market.dump"
SETTINGS, SHOWN_SETTINGS = "paddock.toml", "settings.toml"
LAKE_LIST = "lake.json"
ENVIRONMENTS = frozenset({"demo", "paper", "live"})
NOT_INSTALLED = frozenset({SERVER_DUMP, SETTINGS, SHOWN_SETTINGS, LAKE_LIST})
"""Parts that have no place of the same name in the data folder."""


class Part(msgspec.Struct, frozen=True):
    """`name` is relative, with slashes."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    form: int
    paddock: str
    """The version that made it."""
    environment: str
    """demo, paper or live"""
    made_at: int
    """Int nanoseconds UTC."""
    journal_rows: int
    journal_hash: str
    """Of the last row, which stands for all before it; zeros for an empty journal."""
    parts: list[Part]
    left_out: dict[str, str] = {}
    """What is not in it because nobody wanted it or there is none, with the reason."""
    failed: dict[str, str] = {}
    """What should be in it and could not be read, with what to do."""
    scheduled: bool = False
    """Made by the engine itself, which may delete it again."""

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    def has(self, name: str) -> bool:
        return any(part.name == name for part in self.parts)


def part_of(folder: Path, name: str) -> Part:
    return Part(name, *measure(folder / name))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Its checksum first: a manifest without one counts as damaged."""
    content = msgspec.json.format(msgspec.json.encode(manifest))
    place = folder / FILE
    place.write_bytes(content)
    digest = measure(place)[1]
    write_whole(folder / CHECKSUM, f"{digest}  {FILE}\n".encode())
    write_whole(place, content)


def read_manifest(folder: Path) -> Manifest:
    """Raises DataError for what is no backup, a damaged manifest, or one that a newer version wrote."""
    place = folder / FILE
    if not place.is_file():
        what = "is an empty folder" if folder.is_dir() and not any(folder.iterdir()) else "is no backup of Paddock's"
        raise DataError(
            f"{folder} {what if folder.exists() else 'does not exist'}.",
            "Name the folder that `paddock backup create` wrote; it has a manifest.json.",
        )
    try:
        content, said = place.read_bytes(), (folder / CHECKSUM).read_text("ascii").split(" ", 1)[0]
        form = msgspec.json.decode(content, type=_Form).form
        manifest = msgspec.json.decode(content, type=Manifest) if form == FORM else None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise DataError(f"The manifest of {folder} is damaged: {error}.", "Use another backup.") from None
    if measure(place)[1] != said:
        raise DataError(f"The manifest of {folder} is damaged: it is not what was written.", "Use another backup.")
    if manifest is None:
        raise DataError(f"A newer Paddock made {folder} (form {form}).", "Use that version, or a newer one.")
    _refuse_odd_names(manifest, folder)
    if manifest.environment not in ENVIRONMENTS:
        raise DataError(f"{folder} is of {manifest.environment!r}, which this Paddock does not know.", "Use another.")
    return manifest


class _Form(msgspec.Struct):
    form: int


def _refuse_odd_names(manifest: Manifest, folder: Path) -> None:
    """Somebody could have made it to overwrite other files."""
    for part in manifest.parts:
        path = PurePosixPath(part.name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in part.name:
            raise DataError(
                f"The manifest of {folder} names a file outside of it ({part.name!r}).",
                "Somebody else made it: do not restore it.",
            )
