"""What `paddock ps`, `stop`, `start`, `restart` and `logs` say of a running engine, and do to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.installation import LONGEST_SOCKET, door_path
from tests.e2e.test_engine import LONGEST, NOT_BLOCKED, buy_by_hand, running
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def paddock(data: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", *arguments, "--data", str(data),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    out, said = await process.communicate()
    assert b"Traceback" not in said
    return process.returncode or 0, out.decode(), said.decode()


async def test_the_command_line_sees_and_commands_the_processes(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        code, out, _ = await paddock(tmp_path, "ps", "--json")
        rows = {row["name"]: row for row in json.loads(out)}
        assert code == 0
        assert set(rows) == {row.name for row in engine.views.processes}
        feed = rows["feed"]
        assert feed["state"] == "RUNNING" and feed["critical"] and feed["uptime_s"] > 0
        assert psutil.Process(feed["pid"]).ppid() == os.getpid()

        code, out, _ = await paddock(tmp_path, "stop", "recorder")
        assert (code, "STOPPED" in out) == (0, True)
        assert not psutil.pid_exists(rows["recorder"]["pid"])
        assert (await paddock(tmp_path, "start", "recorder"))[0] == 0
        code, out, _ = await paddock(tmp_path, "restart", "recorder")
        assert (code, "RUNNING" in out) == (0, True)

        code, out, _ = await paddock(tmp_path, "logs", "recorder", "-n", "2")
        assert [line.split()[2] for line in out.splitlines()] == ["supervisor", "supervisor"]
        assert "STARTING → RUNNING" in out.splitlines()[-1]

        code, _, said = await paddock(tmp_path, "stop", "recordr")
        assert code == 1 and "no process named recordr" in said and "recorder" in said


async def test_a_critical_process_is_not_stopped_by_a_slip_while_positions_are_open(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        assert await buy_by_hand(engine) in NOT_BLOCKED
        await until(lambda: any(row.quantity for row in engine.views.positions), LONGEST)
        code, _, said = await paddock(tmp_path, "stop", "feed")
        assert code == 1 and "critical" in said and "--yes" in said
        assert (await paddock(tmp_path, "restart", "feed", "--yes"))[0] == 0


async def test_a_log_is_followed_until_the_engine_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.cli", "logs", "recorder", "-f", "--data", str(tmp_path),
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        await process.stdout.readline()
        pid = next(row.pid for row in engine.views.processes if row.name == "recorder")
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(20):
            while b"SIGKILL" not in await process.stdout.readline():
                pass
    assert await process.wait() == 0


async def test_whatever_knocks_is_answered_or_sent_away(tmp_path: Path) -> None:
    """Half a line, no JSON, the wrong shape, too much: the door stays open for others, and shut to other users."""
    async with running(tmp_path):
        path = door_path(tmp_path)
        assert path.stat().st_mode & 0o777 == 0o600
        for rubbish in (
            b"",
            b"{",
            b"\x00\xff\n",
            b"[1]\n",
            b'{"command": 3}\n',
            b'{"command": "dance"}\n',
            b"x" * 200_000,
        ):
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(rubbish)
            writer.write_eof()
            answer = await reader.readline()
            assert answer == b"" or json.loads(answer)["error"]
            writer.close()
        assert (await paddock(tmp_path, "ps"))[0] == 0
    assert not path.exists()


async def test_without_an_engine_it_says_so_also_where_a_dead_one_left_its_socket(tmp_path: Path) -> None:
    code, _, said = await paddock(tmp_path, "ps")
    assert code == 69 and "No console or engine runs" in said
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(door_path(tmp_path)))
    code, _, said = await paddock(tmp_path, "ps")
    assert code == 69 and "paddock headless" in said


def test_a_folder_with_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    path = door_path(tmp_path / ("long" * 40))
    assert len(str(path)) <= LONGEST_SOCKET
    assert path != door_path(tmp_path / ("longer" * 40))
