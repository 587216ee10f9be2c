"""Dead letters on disk: events that a handler could not take, until a person delivers them again or discards them.

One row for each pair of event and handler; the oldest go when there are more than `capacity`. A letter is marked before
it is delivered again and removed afterwards, so that neither two clicks nor a crash deliver one twice unseen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.bus import DeadLetter
from engine.domain.errors import DataError, UnavailableError
from engine.domain.events import KINDS, Event
from engine.storage import disk

CAPACITY = 1_000
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS letters (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, event BLOB NOT NULL, handler TEXT NOT NULL, error TEXT NOT NULL,
    detail TEXT NOT NULL, attempts INTEGER NOT NULL, failed_at INTEGER NOT NULL, state TEXT NOT NULL
);
UPDATE letters SET state = 'interrupted' WHERE state = 'delivering';
"""
_COLUMNS = "key, kind, event, handler, error, detail, attempts, failed_at, state"


class StoredLetter(msgspec.Struct, frozen=True, kw_only=True):
    """`event` is None when this version of Paddock cannot read it. `failed_at` is int nanoseconds UTC."""

    key: str
    kind: str
    event: Event | None
    handler: str
    error: str
    detail: str
    attempts: int
    failed_at: int
    state: str


class DeadLetterFile:
    """One thread at a time. Every method may raise sqlite3.Error; nothing is half done then."""

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        """Raises DataError when the file is damaged, UnavailableError when the disk refuses."""
        self._capacity = capacity
        try:
            self._database = sqlite3.connect(path, check_same_thread=False)
            self._database.executescript(SCHEMA)
        except sqlite3.Error as error:
            if disk.refused(error):
                raise UnavailableError(
                    f"The undelivered events in {path} cannot be opened: {error}.", disk.REMEDY
                ) from error
            raise DataError(
                f"The undelivered events in {path} cannot be read: {error}.",
                "Move the file aside; a new one is made at the next start.",
            ) from error

    def keep(self, letters: Sequence[tuple[DeadLetter, int]]) -> None:
        """Each with the time of its failure. One that is known counts its attempts on."""
        with self._database as database:
            database.executemany(
                f"INSERT INTO letters ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (key) DO UPDATE"
                " SET error = excluded.error, detail = excluded.detail, attempts = attempts + excluded.attempts,"
                " failed_at = excluded.failed_at, state = 'waiting'",
                [
                    (letter.key, type(letter.event).__name__, msgspec.json.encode(letter.event), letter.handler,
                     letter.error, letter.detail, letter.attempts, failed_at)
                    for letter, failed_at in letters
                ],
            )  # fmt: skip
            database.execute(
                "DELETE FROM letters WHERE key NOT IN (SELECT key FROM letters ORDER BY failed_at DESC, rowid DESC LIMIT ?)",
                (self._capacity,),
            )

    def letters(self) -> list[StoredLetter]:
        """Oldest first."""
        rows = self._database.execute(f"SELECT {_COLUMNS} FROM letters ORDER BY failed_at, rowid").fetchall()
        return [_letter(row) for row in rows]

    def claim(self, key: str) -> StoredLetter | None:
        """Mark it as being delivered; None when it is already, or is gone."""
        with self._database as database:
            row = database.execute(
                f"UPDATE letters SET state = 'delivering' WHERE key = ? AND state != 'delivering' RETURNING {_COLUMNS}",
                (key,),
            ).fetchone()
        return None if row is None else _letter(row)

    def release(self, key: str, error: str, failed_at: int) -> None:
        """Its delivery failed once more."""
        with self._database as database:
            database.execute(
                "UPDATE letters SET state = 'waiting', error = ?, attempts = attempts + 1, failed_at = ? WHERE key = ?",
                (error, failed_at, key),
            )

    def remove(self, keys: Sequence[str]) -> None:
        with self._database as database:
            database.executemany("DELETE FROM letters WHERE key = ?", [(key,) for key in keys])

    def close(self) -> None:
        self._database.close()


def _letter(row: tuple[str, str, bytes, str, str, str, int, int, str]) -> StoredLetter:
    key, kind, event, handler, error, detail, attempts, failed_at, state = row
    return StoredLetter(
        key=key, kind=kind, event=_event(kind, event), handler=handler, error=error, detail=detail, attempts=attempts,
        failed_at=failed_at, state=state,
    )  # fmt: skip


def _event(kind: str, encoded: bytes) -> Event | None:
    try:
        return msgspec.json.decode(encoded, type=KINDS[kind])
    except (KeyError, msgspec.MsgspecError):
        return None
