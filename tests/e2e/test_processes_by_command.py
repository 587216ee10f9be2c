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
from engine.orchestrator.engine import TradingEngine
from tests.e2e.test_engine import LONGEST, NOT_BLOCKED, buy_by_hand, running
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

NO_BOT = {"name": "off", "strategy": "sma-cross", "symbols": ["SPY"], "enabled": False}


def pid_of(engine: TradingEngine, name: str) -> int:
    row = engine.views.processes.get(name)
    assert row is not None
    return row.pid


async def paddock(data: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", *arguments, "--data", str(data),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    out, said = await process.communicate()
    assert b"Traceback" not in said
    return process.returncode or 0, out.decode(), said.decode()


async def test_a_running_engine_is_seen_commanded_and_followed_by_the_command_line(tmp_path: Path) -> None:
    """One engine for all of it: to start one takes longer than every command together."""
    async with running(tmp_path, bots=[NO_BOT]) as engine:
        assert await buy_by_hand(engine) in NOT_BLOCKED
        await _all_processes_are_seen(tmp_path, engine)
        await _one_is_stopped_started_restarted_and_its_log_read(tmp_path, engine)
        await _whatever_knocks_is_answered_or_sent_away(tmp_path)
        await _a_critical_one_is_not_stopped_by_a_slip_while_positions_are_open(tmp_path, engine)
        follower = await _a_log_is_followed(tmp_path, engine)
    assert await follower.wait() == 0, "until the engine ends"
    assert not door_path(tmp_path).exists()


async def _all_processes_are_seen(data: Path, engine: TradingEngine) -> None:
    code, out, _ = await paddock(data, "ps", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert set(rows) == {row.name for row in engine.views.processes}
    feed = rows["feed"]
    assert feed["state"] == "RUNNING" and feed["critical"] and feed["uptime_s"] > 0
    assert psutil.Process(feed["pid"]).ppid() == os.getpid()


async def _one_is_stopped_started_restarted_and_its_log_read(data: Path, engine: TradingEngine) -> None:
    first = pid_of(engine, "recorder")
    code, out, _ = await paddock(data, "stop", "recorder")
    assert (code, "STOPPED" in out) == (0, True)
    assert not psutil.pid_exists(first)
    assert (await paddock(data, "start", "recorder"))[0] == 0
    code, out, _ = await paddock(data, "restart", "recorder")
    assert (code, "RUNNING" in out) == (0, True)

    code, out, _ = await paddock(data, "logs", "recorder", "-n", "2")
    assert [line.split()[2] for line in out.splitlines()] == ["supervisor", "supervisor"]
    assert "STARTING → RUNNING" in out.splitlines()[-1]

    code, _, said = await paddock(data, "stop", "recordr")
    assert code == 1 and "no process named recordr" in said and "recorder" in said


async def _a_critical_one_is_not_stopped_by_a_slip_while_positions_are_open(data: Path, engine: TradingEngine) -> None:
    await until(lambda: any(row.quantity for row in engine.views.positions), LONGEST)
    code, _, said = await paddock(data, "stop", "feed")
    assert code == 1 and "critical" in said and "--yes" in said
    assert (await paddock(data, "restart", "feed", "--yes"))[0] == 0


async def _a_log_is_followed(data: Path, engine: TradingEngine) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "logs", "recorder", "-f", "--data", str(data), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    os.kill(pid_of(engine, "recorder"), signal.SIGKILL)
    async with asyncio.timeout(20):
        while b"SIGKILL" not in await process.stdout.readline():
            pass
    return process


async def _whatever_knocks_is_answered_or_sent_away(data: Path) -> None:
    """Half a line, no JSON, the wrong shape, too much: the door stays open for others, and shut to other users."""
    path = door_path(data)
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
    assert (await paddock(data, "ps"))[0] == 0


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
