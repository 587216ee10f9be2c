"""Files of processes' logs: rotated, one for each, and a disk that does not answer holds up nobody."""

from __future__ import annotations

import os
from pathlib import Path

from engine.processes import log_files
from engine.processes.log_files import FILE_BYTES, LogFiles


def test_each_process_has_a_file_and_it_can_be_written_on_after_closing(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs")
    files.write("feed", "feed", "connected")
    files.write("hub", "hub", "bound")
    files.close()
    files.write("feed", "feed", "again")
    files.close()
    assert "connected\n" in (text := (tmp_path / "logs" / "feed.log").read_text())
    assert "again" in text
    assert "bound" in (tmp_path / "logs" / "hub.log").read_text()


def test_a_full_file_makes_room_for_the_next(tmp_path: Path) -> None:
    files = LogFiles(tmp_path)
    for number in range(FILE_BYTES // 4_000 * 2):
        files.write("feed", "feed", f"{number} {'x' * 4_000}")
    files.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) > 1
    assert max(sizes) <= FILE_BYTES
    assert files.dropped == 0


def test_what_a_stuck_disk_cannot_take_is_dropped_and_counted(tmp_path: Path) -> None:
    pipe = tmp_path / "feed.log"
    os.mkfifo(pipe)  # opening it to write waits for a reader
    files = LogFiles(tmp_path)
    for _ in range(log_files.WAITING + 100):
        files.write("feed", "feed", "line")
    assert files.dropped >= 98
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # lets the thread go
    os.close(reader)
    files.close()
