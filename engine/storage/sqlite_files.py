"""SQLite files from outside: copied while others write, and proved whole."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

PAGES = 2_000
"""Copied at a time; between, the copy may be given up."""


def open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def copy(source: Path, target: Path, look: Callable[[], None] = lambda: None) -> None:
    """As it stands now, into one file without a log beside it, also while others write; they are not held up.

    `look` is called now and then; what it raises ends the copy. Raises sqlite3.Error.
    """
    target.unlink(missing_ok=True)
    with contextlib.closing(open_to_read(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        # Without a transaction of ours the copy would begin anew whenever somebody writes.
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        old.backup(new, pages=PAGES, progress=lambda *_: look())
        # So that a reader of the copy writes nothing.
        new.execute("PRAGMA journal_mode = DELETE")


def damage(database: sqlite3.Connection) -> str:
    """What is wrong with the file; empty for one that is whole. Raises sqlite3.Error for what is no database."""
    found = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
    return "" if found == ["ok"] else "; ".join(found)
