"""The list of a lake's files, with what each is known by: enough to see later what is missing, without a copy of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from engine.storage.files import measure
from engine.storage.lake.address import LakeAddress

PARTIAL = ".partial"


class LakeFile(msgspec.Struct, frozen=True):
    """`digest` begins with sha256: for a file and with etag: for an object of S3."""

    name: str
    size_bytes: int
    digest: str
    modified_at: int = 0
    """Int nanoseconds UTC."""


class LakeList(msgspec.Struct, frozen=True, kw_only=True):
    where: str
    files: list[LakeFile] = []


def list_lake(address: LakeAddress, known: LakeList | None, look: Callable[[], None]) -> LakeList:
    """`known` is an earlier list: what has its size and time is not read again. Raises what the lake does, and OSError."""
    if address.is_bucket:
        from engine.storage.lake.s3 import S3Bucket

        found = [LakeFile(name, size, f"etag:{tag}", at) for name, size, tag, at in S3Bucket(address).details()]
        return LakeList(where=address.url, files=found)
    folder = Path(address.url)
    before = {file.name: file for file in known.files} if known is not None and known.where == address.url else {}
    files = []
    for path in lake_paths(folder):
        look()
        # Compacting the lake meanwhile removes files whose bars are in another one.
        with contextlib.suppress(FileNotFoundError):
            files.append(_file(folder, path, before))
    return LakeList(where=address.url, files=files)


def lake_paths(folder: Path) -> Iterator[Path]:
    """In order of their names; without what is just being written."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(PARTIAL))


def differing(files: list[LakeFile], folder: Path) -> list[str]:
    """The names of those that a folder lacks or has in another length."""
    return [
        file.name
        for file in files
        if not (folder / file.name).is_file() or (folder / file.name).stat().st_size != file.size_bytes
    ]


def read_list(path: Path) -> LakeList | None:
    """None for what cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=LakeList)
    except (OSError, msgspec.MsgspecError):
        return None


def _file(folder: Path, path: Path, before: dict[str, LakeFile]) -> LakeFile:
    name, stat = path.relative_to(folder).as_posix(), path.stat()
    old = before.get(name)
    if old is not None and (old.size_bytes, old.modified_at) == (stat.st_size, stat.st_mtime_ns):
        return old
    size, digest = measure(path)
    return LakeFile(name, size, f"sha256:{digest}", stat.st_mtime_ns)
