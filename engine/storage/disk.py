"""What SQLite's refusals mean: a disk that is full, read-only or out of reach is no damage to the file on it."""

from __future__ import annotations

import sqlite3

REMEDY = "Free space on the disk, or check that you may write to the folder. The file itself is whole: leave it there."

_NO_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)


def refused(error: BaseException) -> bool:
    """Whether the disk refused, rather than the file being damaged. Extended codes have the plain one in the low byte."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _NO_DAMAGE
