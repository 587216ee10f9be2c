"""What a killed console leaves behind is found by its mark and ended; nobody else's process is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from engine.processes.lifeline import MARK, mark
from engine.processes.registry import ChildRecord, ChildRegistry, RunRecord, sweep

Sleeper = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    started: list[subprocess.Popen[bytes]] = []

    def start(mark: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["sleep", "100"], env={**os.environ, MARK: mark}, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def leave(path: Path, mark: str, *children: ChildRecord) -> None:
    path.write_bytes(msgspec.json.encode(RunRecord(mark=mark, children=list(children))))


def record(process: subprocess.Popen[bytes], name: str = "feed") -> ChildRecord:
    return ChildRecord(name=name, pid=process.pid, created=psutil.Process(process.pid).create_time())


def test_a_child_and_what_it_started_are_ended_and_named(tmp_path: Path, sleeper: Sleeper) -> None:
    child, grandchild = sleeper("7:a"), sleeper("7:a")
    leave(tmp_path / "children.json", "7:a", record(child))
    found = sweep([tmp_path / "children.json"])
    assert sorted(found) == sorted([f"feed (process {child.pid})", f"a process of a child (process {grandchild.pid})"])
    assert (child.wait(5), grandchild.wait(5)) == (-9, -9)
    assert not (tmp_path / "children.json").exists()


def test_a_process_that_has_the_pid_but_not_the_mark_lives_on(tmp_path: Path, sleeper: Sleeper) -> None:
    stranger = sleeper("7:b")
    leave(tmp_path / "children.json", "7:a", record(stranger))
    assert sweep([tmp_path / "children.json"]) == []
    assert stranger.poll() is None


def test_what_this_run_writes_the_next_one_can_read(tmp_path: Path, sleeper: Sleeper) -> None:
    path = tmp_path / "children.json"
    child = sleeper(mark())
    registry = ChildRegistry(path)
    registry.write({"feed": child.pid, "gone": 2**22 - 1})
    run = msgspec.json.decode(path.read_bytes(), type=RunRecord)
    assert run == RunRecord(mark=mark(), children=[record(child)])
    registry.close()
    assert not path.exists()


def test_a_damaged_file_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "children.json"
    path.write_bytes(b"{half")
    assert sweep([path, tmp_path / "never written.json"]) == []
    assert "cannot be read" in caplog.text
    assert not path.exists()
