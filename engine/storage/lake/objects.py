"""Where the files of the lake lie: named byte strings that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

from engine.domain.errors import DataError

PARTIAL = ".partial"


class ObjectStore(Protocol):
    """Names are relative, with slashes. No method is for the event loop: each waits for disk or network.

    All raise UnavailableError or CredentialsError for a server, DataError for a disk that cannot be used.
    """

    def read(self, name: str) -> bytes | None:
        """None where there is no such object."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Durable on return; a reader sees the old content or the new, never a part."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """In order; of what begins with `prefix`."""
        ...

    def delete(self, name: str) -> None:
        """Nothing happens where there is none."""
        ...

    def sweep(self) -> int:
        """Remove what killed writers left unfinished; returns how many files."""
        ...

    def place(self, name: str) -> str:
        """Where a person finds it: a path or an s3:// address."""
        ...


class LocalFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(self._folder / name, "read", error) from error

    def write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        # The name of the process keeps two writers from each other's unfinished file.
        partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise _unusable(path, "written", error) from error

    def sweep(self) -> int:
        """Remove what writers left that were killed while they wrote; returns how many files. Of those alive nothing."""
        swept = 0
        for path in self._folder.rglob(f".*{PARTIAL}"):
            with contextlib.suppress(OSError):
                if not _is_alive(path.name.removesuffix(PARTIAL).rpartition(".")[2]):
                    path.unlink()
                    swept += 1
        return swept

    def names(self, prefix: str) -> Iterator[str]:
        begin = self._folder / prefix
        folder = begin if prefix.endswith("/") or not prefix else begin.parent
        found = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(PARTIAL))
        relative = (path.relative_to(self._folder).as_posix() for path in found)
        yield from sorted(name for name in relative if name.startswith(prefix))

    def delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(self._folder / name, "deleted", error) from error

    def place(self, name: str) -> str:
        return str(self._folder / name)


def _is_alive(pid: str) -> bool:
    """What is no number names no process, and is not ours to remove."""
    return not pid.isdecimal() or int(pid) == os.getpid() or psutil.pid_exists(int(pid))


def _unusable(path: Path, what: str, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be {what}: {error.strerror or error}.",
        "Check the folder's permissions and the room on its disk.",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
