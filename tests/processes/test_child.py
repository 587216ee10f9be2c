"""The runtime of a child by itself: what it takes on stdin, what it says, how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

WORKER = [sys.executable, "-m", "tests.processes.worker"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def tell(child: subprocess.Popen[bytes], line: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(line + b"\n")
    child.stdin.flush()


def said(child: subprocess.Popen[bytes], kind: str) -> dict[str, object]:
    """The next line of this type."""
    assert child.stdout is not None
    for line in child.stdout:
        found: dict[str, object] = msgspec.json.decode(line)
        if found["type"] == kind:
            return found
    raise AssertionError(f"it never said {kind}")


def end_input(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.close()


def test_the_end_of_stdin_ends_it_with_success(child: subprocess.Popen[bytes]) -> None:
    tell(child, b"{}")
    assert said(child, "ready")["detail"] == "here"
    end_input(child)
    assert child.wait(10) == 0


def test_sigterm_ends_it_with_success_and_control_c_is_not_for_it(child: subprocess.Popen[bytes]) -> None:
    tell(child, b"{}")
    said(child, "ready")
    child.send_signal(signal.SIGINT)
    assert said(child, "heartbeat")["progress"] == 7
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 0


@pytest.mark.parametrize("line", [b"not json", b'{"mode": 7}', b""])
def test_settings_it_cannot_use_are_a_configuration_error(child: subprocess.Popen[bytes], line: bytes) -> None:
    tell(child, line)
    record = said(child, "log")
    assert child.wait(10) == 64
    assert "settings" in str(record["text"])
    assert record["remedy"]


def test_a_parent_that_does_not_read_never_blocks_it(child: subprocess.Popen[bytes]) -> None:
    tell(child, b'{"mode": "chatty"}')
    assert child.wait(20) == 0


def test_an_unknown_kind_of_worker_is_named_with_those_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "engine.workers", "nonsense"], capture_output=True, text=True)
    assert done.returncode == 64
    assert "hub" in done.stderr
