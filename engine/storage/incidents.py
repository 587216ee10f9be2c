"""Incident cards on disk: why processes ended unexpectedly, in past runs too; the oldest go when there are too many."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.domain.incidents import Incident

CAPACITY = 500
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS incidents (key TEXT PRIMARY KEY, process TEXT NOT NULL, card BLOB NOT NULL);
"""


class IncidentFile:
    """One thread at a time. Every method may raise sqlite3.Error; nothing is half done then."""

    def __init__(self, path: Path, capacity: int = CAPACITY) -> None:
        """Raises DataError when the file cannot be used."""
        self._capacity = capacity
        try:
            self._database = sqlite3.connect(path, check_same_thread=False)
            self._database.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise DataError(
                f"The incidents in {path} cannot be read: {error}.",
                "Move the file aside; a new one is made at the next start.",
            ) from error

    def keep(self, incident: Incident) -> None:
        with self._database as database:
            database.execute(
                "INSERT OR REPLACE INTO incidents (key, process, card) VALUES (?, ?, ?)",
                (incident.key, incident.process, msgspec.msgpack.encode(incident)),
            )
            database.execute(
                "DELETE FROM incidents WHERE key NOT IN (SELECT key FROM incidents ORDER BY key DESC LIMIT ?)",
                (self._capacity,),
            )

    def incidents(self) -> list[Incident]:
        """Oldest first; cards that this version of Paddock cannot read are left out."""
        found: list[Incident] = []
        for (card,) in self._database.execute("SELECT card FROM incidents ORDER BY key"):
            try:
                found.append(msgspec.msgpack.decode(card, type=Incident))
            except msgspec.MsgspecError:
                continue
        return found

    def close(self) -> None:
        self._database.close()
