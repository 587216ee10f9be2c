"""The parts of a backup, each copied from an installation that may be running.

Our own books come first and the built-in exchange after them, as a venue is always asked later than we remember: what
happened in between is found when the restored engine compares itself with the venue.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.domain.errors import DataError, PaddockError
from engine.storage import sqlite_files
from engine.storage.backup import manifest as names
from engine.storage.backup.lake_list import LakeList, lake_paths, list_lake
from engine.storage.backup.source import Source, settings_file, shown_settings
from engine.storage.files import sync
from engine.storage.trail import GENESIS

SNAPSHOTS = 2
"""The newest; any older one is made again from the journal."""


class Writing:
    """One backup on its way. `look` is called now and then; what it raises ends it."""

    def __init__(self, source: Source, folder: Path, now: int, look: Callable[[], None]) -> None:
        self.left_out: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.parts: list[str] = []
        self.journal: tuple[int, str] = (0, GENESIS.hex())
        self._source = source
        self._from = source.installation.folder
        self.folder = folder
        self._now = now
        self._look = look

    def write(self, known: LakeList | None) -> None:
        installation = self._source.installation
        for path in sorted(installation.snapshots.glob("*.snapshot"))[-SNAPSHOTS:]:
            self._file(path)
        self.journal = _journal_end(self._database(installation.journal))
        for path in sorted(installation.exchange.glob("*.db")):
            self._database(path)
        for path in (installation.incidents, installation.dead_letters):
            if path.is_file():
                self._database(path)
        self._file(installation.watch_list)
        self._try("market database", self._market)
        for path in sorted(installation.backtests.rglob("*")):
            if path.is_file():
                self._file(path)
        self._try("lake", lambda: self._lake(known))
        self._try("configuration file", self._settings_file)
        self._text(names.SHOWN_SETTINGS, shown_settings(self._source.settings))

    def _try(self, what: str, work: Callable[[], None]) -> None:
        """Orders and positions are saved also while a server is away; what is missing is said."""
        try:
            work()
        except PaddockError as error:
            self.failed[what] = f"{error.message.rstrip('.')}. {error.remedy}"

    def _database(self, path: Path) -> Path:
        target = self._place(path)
        sqlite_files.copy(path, target, self._look)
        with contextlib.closing(sqlite_files.open_to_read(target)) as copied:
            wrong = sqlite_files.damage(copied)
        if wrong:
            raise DataError(
                f"{path} is damaged, so no backup of it is worth keeping: {wrong}.",
                "Stop Paddock and restore the newest backup; those that exist are kept.",
            )
        sync(target)
        return target

    def _file(self, path: Path) -> None:
        """One that is not there, or is removed meanwhile, is not missed."""
        self._look()
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(path, target := self._place(path))
            sync(target)

    def _market(self) -> None:
        address = self._source.market
        if address is None:
            self.left_out["market database"] = "it was not asked for"
            return
        if not address.is_postgres and not Path(address.path).is_file():
            self.left_out["market database"] = "nothing is recorded yet"
            return
        # SQLAlchemy comes with it, which costs a second.
        from engine.storage.market import backup
        from engine.storage.market.manifest import manifest_of

        target = self.folder / (names.SERVER_DUMP if address.is_postgres else names.MARKET)
        backup.backup(address, target, self._now, self._look)
        self.parts += [target.name, manifest_of(target).name]

    def _lake(self, known: LakeList | None) -> None:
        address = self._source.lake
        if not address.is_bucket and not Path(address.url).is_dir():
            return
        try:
            found = list_lake(address, known, self._look)
        except OSError as error:
            raise DataError(f"The lake cannot be read: {error}.", "Check its permissions and its disk.") from error
        self._text(names.LAKE_LIST, msgspec.json.format(msgspec.json.encode(found)).decode())
        if not self._source.with_lake:
            self.left_out["lake"] = f"only the list of its {len(found.files):,} files is saved"
            return
        for path in lake_paths(Path(address.url)):
            self._look()
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, target := self._named(f"lake/{path.relative_to(address.url).as_posix()}"))
                sync(target)

    def _settings_file(self) -> None:
        if content := settings_file(self._source.settings):
            self._text(names.SETTINGS, content)

    def _text(self, name: str, content: str) -> None:
        target = self._named(name)
        target.write_text(content, "utf-8")
        sync(target)

    def _place(self, path: Path) -> Path:
        return self._named(path.relative_to(self._from).as_posix())

    def _named(self, name: str) -> Path:
        self.parts.append(name)
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _journal_end(copied: Path) -> tuple[int, str]:
    with contextlib.closing(sqlite_files.open_to_read(copied)) as database:
        row = database.execute("SELECT number, hash FROM trail ORDER BY number DESC LIMIT 1").fetchone()
    return (0, GENESIS.hex()) if row is None else (row[0], bytes(row[1]).hex())
