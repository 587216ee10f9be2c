"""What a child says, understood: records, reports, garbage; bounded in size and rate, kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from engine.clock import ManualClock
from engine.processes.events import LogRecord, ProcessEvent, Report
from engine.processes.log_files import LogFiles
from engine.processes.speech import LINES_PER_SECOND, MAX_TEXT, RING, Speech


class Listening:
    def __init__(self, folder: Path | None = None) -> None:
        self.clock = ManualClock()
        self.events: list[ProcessEvent] = []
        self.pulses: list[str] = []
        self.files = LogFiles(folder) if folder is not None else None
        self.speech = Speech(
            "child", self.clock, self.files, self.events.append, lambda kind, said: self.pulses.append(kind)
        )

    def hear(self, **said: Any) -> None:
        self.speech.hear(msgspec.json.encode(said))

    def texts(self) -> list[str]:
        return [line.text for line in self.speech.lines()]


def test_a_log_line_is_kept_and_a_warning_is_passed_on() -> None:
    ear = Listening()
    ear.hear(type="log", level="info", logger="feed", text="connected")
    ear.hear(type="log", level="error", logger="feed", text="lost", traceback="at line 7", remedy="wait")
    assert ear.texts() == ["connected", "lost\nat line 7"]
    assert ear.events == [
        LogRecord(name="child", level="error", logger="feed", text="lost", remedy="wait", traceback="at line 7")
    ]


def test_whatever_is_no_message_is_kept_as_a_line() -> None:
    ear = Listening()
    for garbage in (b"plain", b"{broken", b'{"no": "type"}', b'{"type": 7}', b"[1, 2]", b"\xff\x00", b"{" * 10_000):
        ear.speech.hear(garbage)
    assert len(ear.texts()) == 7
    assert ear.texts()[0] == "plain"
    assert max(len(text) for text in ear.texts()) == MAX_TEXT
    assert ear.events == []


def test_another_type_is_a_report() -> None:
    ear = Listening()
    ear.hear(type="progress", done=0.5)
    assert ear.events == [Report(name="child", kind="progress", fields={"done": 0.5})]


def test_a_flood_is_cut_and_the_number_missing_is_said() -> None:
    ear = Listening()
    for _ in range(LINES_PER_SECOND + 40):
        ear.speech.hear(b"again")
    assert ear.speech.dropped == 40
    ear.clock.advance(1)
    ear.speech.hear(b"later")
    assert ear.texts()[-2:] == ["40 lines came too fast and were dropped", "later"]


def test_a_flood_of_reports_is_cut_too_but_never_the_result_nor_the_heartbeat() -> None:
    ear = Listening()
    for _ in range(LINES_PER_SECOND * 2):
        ear.hear(type="progress")
    ear.hear(type="heartbeat")
    ear.hear(type="result", answer=42)
    assert len(ear.events) == LINES_PER_SECOND + 1
    assert ear.events[-1] == Report(name="child", kind="result", fields={"answer": 42})
    assert ear.pulses == ["heartbeat"]


def test_the_ring_is_bounded_and_numbers_go_on() -> None:
    ear = Listening()
    for _ in range(RING * 2 // LINES_PER_SECOND):
        for _ in range(LINES_PER_SECOND):
            ear.speech.hear(b"line")
        ear.clock.advance(1)
    lines = ear.speech.lines()
    assert len(lines) == RING
    assert lines[-1].number == RING * 2
    assert [line.number for line in ear.speech.lines(after=RING * 2 - 3)] == [RING * 2 - 2, RING * 2 - 1, RING * 2]


def test_what_the_child_could_not_say_is_noted_once() -> None:
    ear = Listening()
    for dropped in (0, 3, 3, 0, 2):
        ear.hear(type="heartbeat", dropped=dropped)
    assert ear.texts() == [
        "3 lines were not said: the pipe was full",
        "2 lines were not said: the pipe was full",
    ]


def test_lines_are_written_to_the_processs_own_file(tmp_path: Path) -> None:
    ear = Listening(tmp_path / "logs")
    ear.hear(type="log", level="warning", logger="feed", text="slow")
    assert ear.files is not None
    ear.files.close()
    assert "WARNING  feed: slow" in (tmp_path / "logs" / "child.log").read_text()
