"""A snapshot is whole or not there: after a kill, a full disk or a damaged file the one before it is taken."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS
from engine.storage import snapshots
from engine.storage.snapshots import SnapshotStore

HOUR = 3600 * NANOSECONDS


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_is_loaded(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "snapshots")
    assert store.load().payload is None
    store.save(b"one", 1)
    store.save(b"two", 2)
    loaded = SnapshotStore(tmp_path / "snapshots").load()
    assert (loaded.payload, loaded.taken_at, loaded.damaged) == (b"two", 2, ())


def test_they_are_kept_for_a_day_and_the_last_two_for_ever(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for hour in range(30):
        store.save(b"state", hour * HOUR)
    assert len(names(tmp_path)) == 25
    store.save(b"state", 1_000 * HOUR)
    assert len(names(tmp_path)) == 2


@given(st.binary(max_size=300), st.data())
def test_a_file_that_was_changed_anywhere_is_set_aside(
    tmp_path_factory: pytest.TempPathFactory, payload: bytes, data: st.DataObject
) -> None:
    store = SnapshotStore(tmp_path_factory.mktemp("store"))
    store.save(b"before", 1)
    place = store.save(payload, 2)
    content = bytearray(place.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    place.write_bytes(content)
    loaded = store.load()
    assert (loaded.payload, loaded.damaged) == (b"before", (place.name,))
    assert place.with_suffix(".damaged").read_bytes() == content
    assert store.load().damaged == (), "it is told once"


def test_when_all_are_damaged_there_is_none(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path)
    for number in range(3):
        store.save(b"state", number).write_bytes(b"")
    loaded = store.load()
    assert loaded.payload is None
    assert len(loaded.damaged) == 3


@pytest.mark.parametrize("step", ["_write", "_sync_folder"])
def test_a_full_disk_is_told_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store = SnapshotStore(tmp_path)
    store.save(b"one", 1)

    def full(place: Path, *parts: bytes) -> None:
        if parts:
            place.write_bytes(parts[0])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(snapshots, step, full)
    with pytest.raises(DataError, match="No space"):
        store.save(b"two", 2)
    monkeypatch.undo()
    assert store.load().payload in {b"one", b"two"}
    assert not list(tmp_path.glob("*.partial"))


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.storage import snapshots
store = snapshots.SnapshotStore(Path(sys.argv[1]))
store.save(b"one" * 1000, 1)
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def half(place, *parts):
    place.write_bytes(b"".join(parts)[:700])
    die()
step = sys.argv[2]
if step == "while writing":
    snapshots._write = half
elif step == "before the move":
    Path.replace = die
else:
    snapshots._sync_folder = die
store.save(b"two" * 1000, 2)
"""


@pytest.mark.parametrize(
    ("step", "left"),
    [("while writing", b"one"), ("before the move", b"one"), ("after the move", b"two")],
)
def test_a_process_that_is_killed_while_it_writes_leaves_one_that_is_whole(
    tmp_path: Path, step: str, left: bytes
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), step], check=False, timeout=60)
    assert done.returncode == -9
    store = SnapshotStore(tmp_path)
    loaded = store.load()
    assert (loaded.payload, loaded.damaged) == (left * 1000, ())
    store.save(b"three", 3)
    assert not list(tmp_path.glob("*.partial")), "what was left half written is cleared away"
