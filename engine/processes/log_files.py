"""Write the logs of all processes to files, one each, rotated; in a thread, so that a slow disk never holds up the loop."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from pathlib import Path

from engine.observability.log_file import LogFile

FILE_BYTES = 5_000_000
FILES = 3
WAITING = 10_000
"""Lines that may wait for the disk; more are dropped and counted."""
CLOSE_WAIT = 2.0

_Line = tuple[str, logging.LogRecord]


class LogFiles:
    """`FOLDER/NAME.log` and its predecessors. The thread begins with the first line."""

    def __init__(self, folder: Path) -> None:
        self.dropped = 0
        self._folder = folder
        self._lines: queue.Queue[_Line | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def write(self, name: str, logger: str, text: str) -> None:
        """Never waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-files", daemon=True)
            self._thread.start()
        try:
            self._lines.put_nowait((name, logging.LogRecord(logger, logging.INFO, "", 0, text, None, None)))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Waits for what has been written so far, but not for ever for a disk that does not answer. May be used again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=CLOSE_WAIT)
                thread.join(CLOSE_WAIT)

    def _run(self) -> None:
        files: dict[str, logging.Handler] = {}
        while (line := self._lines.get()) is not None:
            name, record = line
            file = files.get(name) or files.setdefault(name, _open(self._folder, name))
            file.handle(record)
        for file in files.values():
            file.close()


def _open(folder: Path, name: str) -> logging.Handler:
    with contextlib.suppress(OSError):  # each line that cannot be written is counted
        folder.mkdir(parents=True, exist_ok=True)
    handler = LogFile(folder / f"{name}.log", FILE_BYTES, FILES)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
