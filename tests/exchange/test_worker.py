"""The exchange as a child process, as the console starts it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.exchange.conftest import WAIT

Process = asyncio.subprocess.Process


@asynccontextmanager
async def worker(**settings: Any) -> AsyncIterator[Process]:
    arguments = (sys.executable, "-m", "engine.workers", "exchange")
    process = await asyncio.create_subprocess_exec(*arguments, stdin=-1, stdout=-1, stderr=-1)
    assert process.stdin is not None
    process.stdin.write(json.dumps(settings).encode() + b"\n")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def heard(process: Process, kind: str) -> dict[str, Any]:
    """The next line of a type that the worker speaks."""
    assert process.stdout is not None
    async with asyncio.timeout(WAIT):
        while line := await process.stdout.readline():
            said: dict[str, Any] = json.loads(line)
            if said["type"] == kind:
                return said
    raise AssertionError(f"the worker ended without {kind}")


async def test_it_says_where_it_listens_works_and_ends_with_its_stdin() -> None:
    async with worker(symbols=["SPY"], speed=2.0) as process:
        url = (await heard(process, "ready"))["detail"]
        keys = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
        async with aiohttp.ClientSession(headers=keys) as session, session.get(url + "/v2/clock") as answer:
            assert (await answer.json())["paddock_speed"] == 2.0
        while (await heard(process, "heartbeat"))["progress"] == 0:
            pass
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), WAIT) == 0


async def test_a_port_in_use_is_told_with_its_remedy() -> None:
    async with worker(symbols=["SPY"]) as first:
        port = int((await heard(first, "ready"))["detail"].rpartition(":")[2])
        async with worker(symbols=["SPY"], port=port) as second:
            said = await heard(second, "log")
            assert (said["level"], str(port) in said["text"]) == ("error", True)
            assert "--port" in said["remedy"]
            assert await asyncio.wait_for(second.wait(), WAIT) == 69
