"""The data folder: where everything of one installation lives, and the lock that keeps a second console out.

DATA/paddock.lock           held while a console runs; names its process
DATA/paddock.sock           while it runs: the way in for `paddock ps`, `stop`, `restart` and `logs`
DATA/backups/               what `paddock backup` and the schedule save, unless [backup] names another folder
DATA/<environment>/         demo, paper and live never share a file
    orders.db               the order journal
    market.db               candles, quotes, indicators and signals, unless they are on a PostgreSQL server
    lake/                   bars of years by feed, symbol and day
    incidents.db            why processes ended unexpectedly
    dead_letters.db         events that a part of the engine could not take
    snapshots/              the portfolio's state, for a day
    watch_list.json         what a person added to the configured symbols, or took off
    exchange/               accounts of the built-in exchange (demo only)
    backtests/RUN/          result of each run
    logs/                   one file per process, and paddock.log
"""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.config.settings import Settings
from engine.domain.errors import AlreadyRunningError, ConfigurationError
from engine.file_lock import try_lock

LONGEST_SOCKET = 100
"""Bytes of a socket's path that every system takes."""


def folder_name(settings: Settings) -> str:
    return "replay" if settings.exchange.replay is not None else settings.environment.value


def door_path(data: Path) -> Path:
    """The socket of the engine that runs on this data folder; in a short folder of its own where the path is too long."""
    path = data.absolute() / "paddock.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"paddock-{_user()}-{digest}" / "paddock.sock"


def _user() -> int | str:
    if sys.platform == "win32":
        return getpass.getuser()
    return os.getuid()


class Installation:
    """Use as a context manager; entering creates the folders and takes the lock.

    Raises AlreadyRunningError when another console holds it, ConfigurationError when the folder cannot be written.
    """

    def __init__(self, data: Path, name: str, fresh: bool = False) -> None:
        """`name` from `folder_name`; `fresh` forgets orders and accounts of the run before."""
        self.data = data
        self.folder = data / name
        self._fresh = fresh
        self._lock: int | None = None

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def journal(self) -> Path:
        return self.folder / "orders.db"

    @property
    def market_database(self) -> Path:
        return self.folder / "market.db"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def dead_letters(self) -> Path:
        return self.folder / "dead_letters.db"

    @property
    def incidents(self) -> Path:
        return self.folder / "incidents.db"

    @property
    def children(self) -> Path:
        """Which child processes run; read at the next start."""
        return self.run / "children.json"

    @property
    def all_children(self) -> list[Path]:
        """The same of every environment of this data folder."""
        return sorted(self.data.glob(f"*/run/{self.children.name}"))

    @property
    def exchange(self) -> Path:
        return self.folder / "exchange"

    @property
    def watch_list(self) -> Path:
        return self.folder / "watch_list.json"

    @property
    def snapshots(self) -> Path:
        return self.folder / "snapshots"

    @property
    def backtests(self) -> Path:
        return self.folder / "backtests"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """Sockets of the hub; private to the user."""
        return self.folder / "run"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps others out as entering does, and makes no folder of the environment."""
        try:
            self._acquire()
        except OSError as error:
            raise self._unusable(error) from None
        try:
            yield
        finally:
            self._release()

    def __enter__(self) -> Installation:
        try:
            self._acquire()
            if self._fresh:
                self._forget()
            for folder in (self.folder, self.exchange, self.backtests, self.logs):
                folder.mkdir(parents=True, exist_ok=True)
            self.run.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            self._release()
            raise self._unusable(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def _acquire(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.data / "paddock.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try_lock(lock)
        except BlockingIOError:
            owner = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise AlreadyRunningError(
                f"Another Paddock (process {owner}) is using {self.data}.",
                "Use its window, close it first, or give this one a folder of its own: --data DIR.",
            ) from None
        os.ftruncate(lock, 0)
        os.lseek(lock, 0, os.SEEK_SET)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def _unusable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"The data folder {self.data} cannot be used: {error.strerror or error}.",
            "Choose a folder you may write to: --data DIR.",
        )

    def _forget(self) -> None:
        for folder in (self.exchange, self.snapshots):
            shutil.rmtree(folder, ignore_errors=True)
        for name in (self.journal.name, self.dead_letters.name):
            for path in self.folder.glob(f"{name}*"):
                path.unlink()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
