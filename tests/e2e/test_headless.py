"""The engine without a window, as a process: it trades, stops within seconds, survives kill -9, refuses bad input."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.shared_data import FOLDER, needs_shared_data

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

STOP_LIMIT = 5.0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "engine.cli", *arguments]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """The first line that fits; the test's own time limit ends a wait in vain."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return line
    raise AssertionError(f"{pattern} never came:\n{''.join(lines)}")


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_it_trades_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with running("headless", "--data", str(tmp_path)) as process:
        read_until(process, r"fill .*(bought|sold)")
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 7, "six workers, more feeds under load, and what ends orphans"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=STOP_LIMIT) == 0, "it must stop within five seconds"
        assert time.monotonic() - started < STOP_LIMIT
        wait_until_gone(children)


def test_a_killed_engine_leaves_no_child_and_the_next_knows_its_positions(tmp_path: Path) -> None:
    with running("headless", "--data", str(tmp_path)) as process:
        read_until(process, r"fill .*(bought|sold)")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        wait_until_gone(children)
    with running("headless", "--data", str(tmp_path)) as process:
        read_until(process, "engine runs")
        line = read_until(process, r"equity .*exposure [1-9]|fill ")
        assert line
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=STOP_LIMIT) == 0


@needs_shared_data
def test_a_recorded_day_is_replayed_and_traded(tmp_path: Path) -> None:
    arguments = ("--replay", str(FOLDER), "--symbols", "SPY,IBM,BAC,AIG", "--speed", "60")
    with running("headless", "--data", str(tmp_path), *arguments) as process:
        line = read_until(process, r"fill .*(SPY|IBM|BAC|AIG) at")
        price = float(line.rsplit(" ", 1)[1])
        assert 10 < price < 200, "prices are those of 2013"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=STOP_LIMIT) == 0


def refuse(*arguments: str, data: Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    run = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, env={**os.environ, **(environment or {})},
        check=False,
    )  # fmt: skip
    assert "Traceback" not in run.stderr
    assert not data.exists(), "nothing may be written"
    return run.returncode, run.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--replay", "/nonexistent"), 65, "no recording"),
        (("--symbols", "NOPE"), 64, "does not know NOPE"),
        (("--symbols", "s p y"), 64, "symbols"),
        (("--paper",), 64, "needs API keys"),
        (("--paper", "--live"), 64, "exclude each other"),
        (("--replay", "/tmp", "--paper"), 64, "built-in exchange"),
        (("--speed", "-1"), 64, "speed"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    data = tmp_path / "data"
    found, text = refuse("headless", "--data", str(data), *arguments, data=data)
    assert found == code
    assert said in text
    assert len(text.strip().splitlines()) >= 2, "a remedy follows the message"


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    file = tmp_path / "paddock.toml"
    file.write_text("[exchange\nport = 1")
    data = tmp_path / "data"
    code, text = refuse("headless", "--data", str(data), data=data, environment={"PADDOCK_CONFIG": str(file)})
    assert code == 64
    assert str(file) in text
    assert "TOML" in text


def test_no_display_names_the_headless_engine(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}}
    run = subprocess.run(
        [sys.executable, "-m", "console", "--data", str(tmp_path / "data")],
        capture_output=True, text=True, timeout=60, env=environment, check=False,
    )  # fmt: skip
    assert run.returncode == 69
    assert "paddock headless" in run.stderr
    assert not (tmp_path / "data").exists()


def test_a_second_console_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with running("headless", "--data", str(tmp_path)) as process:
        read_until(process, "engine runs")
        run = subprocess.run(
            command("headless", "--data", str(tmp_path)), capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 75
        assert str(process.pid) in run.stderr


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run(
            command("exchange", "--port", str(port)), capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 69
        assert str(port) in run.stderr
        data = tmp_path / "data"
        code, text = refuse(
            "headless", "--data", str(data), data=data, environment={"PADDOCK_EXCHANGE__PORT": str(port)}
        )
        assert code == 69
        assert str(port) in text


def test_wrong_keys_and_no_network_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper account at an address where nobody listens; the real one cannot be reached from a test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **os.environ, "APCA_API_KEY_ID": "PKTEST", "APCA_API_SECRET_KEY": "secret-value",
        "HTTPS_PROXY": proxy, "https_proxy": proxy,
    }  # fmt: skip
    run = subprocess.run(
        command("headless", "--paper", "--data", str(tmp_path)), capture_output=True, text=True, timeout=90,
        env=environment, check=False,
    )  # fmt: skip
    assert run.returncode == 69, run.stderr
    assert "secret-value" not in run.stdout + run.stderr
