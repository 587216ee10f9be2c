"""Brings a market database to the form that this version writes, or back: Alembic's steps as statements to execute.

Alembic writes the SQL and the database's own driver runs it, in one transaction under a lock, so that two that start at
once, or a power cut, leave the old form or the new one.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

HEAD = "0002"
"""The form that this version writes; a test holds it to the newest file in migrations/versions."""
FOLDER = Path(__file__).with_name("migrations")
_ALEMBIC = threading.Lock()
"""Alembic's `op` and `context` are of the whole process."""
VERSION_QUERY = "SELECT version_num FROM alembic_version"


class _Statements:
    """Takes what Alembic prints, one statement at a time."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def write(self, text: str) -> None:
        lines = [line for line in text.strip().splitlines() if not line.startswith("--")]
        if statement := "\n".join(lines).strip().removesuffix(";"):
            self.found.append(statement)

    def flush(self) -> None:
        """Alembic calls it."""


def statements(dialect: str, current: str | None, target: str = HEAD, *, timescale: bool = False) -> list[str]:
    """From form `current` (None: no version yet, or an empty database) to `target`, up or down; "base" is nothing."""
    # Its steps are ours to tell of, not a user's to read; it begins to speak while it is imported.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    from alembic import command
    from alembic.config import Config

    found = _Statements()
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes.update(dialect=dialect, statements=found, timescale=timescale)
    start = current or "base"
    down = target == "base" or (start != "base" and target < start)
    with _ALEMBIC:
        (command.downgrade if down else command.upgrade)(config, f"{start}:{target}", sql=True)
    return [*found.found, "DROP TABLE alembic_version"] if target == "base" else found.found


def is_newer(current: str | None) -> bool:
    """Whether a later version of the product wrote it."""
    return current is not None and current > HEAD
