"""Logs of the engine's own process: JSON lines in a rotating file, and whoever listens for warnings.

Each line has timestamp (ISO 8601 UTC), level, logger, message and, where there is one, the traceback. Secrets never
reach a log because they live in settings objects that mask themselves; nothing here formats settings.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.domain.errors import PaddockError
from engine.observability.log_file import LogFile

FILE_BYTES = 10_000_000
FILES = 5


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class Listener(logging.Handler):
    """Hands warnings and worse to `report(logger, level, message, remedy, detail)` on the event loop, from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Callable[[str, int, str, str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._loop = loop
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        remedy = error.remedy if isinstance(error, PaddockError) else ""
        detail = "".join(traceback.format_exception(error)) if error is not None else ""
        try:
            self._loop.call_soon_threadsafe(
                self._report, record.name, record.levelno, record.getMessage(), remedy, detail
            )
        except RuntimeError:
            # The loop has ended; the file handler still has the line.
            return


def log_to_file(folder: Path) -> logging.Handler:
    """Send the root logger to folder/paddock.log; returns the handler, which the caller closes."""
    folder.mkdir(parents=True, exist_ok=True)
    handler = LogFile(folder / "paddock.log", FILE_BYTES, FILES)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    return handler


def remove(handler: logging.Handler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.close()
