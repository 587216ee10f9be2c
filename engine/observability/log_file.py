"""A rotating log file that outlives its disk: what cannot be written is counted, and harms nobody."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
from pathlib import Path


class LogFile(logging.handlers.RotatingFileHandler):
    """What the disk refuses is left out, and counted in the first line that it takes again."""

    def __init__(self, path: Path, most_bytes: int, files: int) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=files, encoding="utf-8", delay=True)
        self.lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self.lost
        super().emit(record)
        if before and self.lost == before:
            self.lost = 0
            text = f"about {before} lines before this one could not be written to the disk"
            super().emit(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        if isinstance(sys.exception(), OSError):
            self.lost += 1
        else:
            super().handleError(record)

    def close(self) -> None:
        """What is still in memory and cannot be written is let go."""
        with contextlib.suppress(OSError):
            super().close()
