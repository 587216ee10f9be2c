"""Disaster and recovery with the real engine: saved while it trades, killed, restored elsewhere, and in agreement."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.config import load_settings
from engine.orchestrator.engine import TradingEngine
from engine.storage.backup.create import create
from engine.storage.backup.keep import backups
from engine.storage.backup.restore import restore
from engine.storage.backup.source import source_of
from tests.e2e.busy_trader import FEWER_PROCESSES
from tests.e2e.test_engine import LONGEST, running
from tests.storage.market_rows import NOW
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@asynccontextmanager
async def trading(data: Path) -> AsyncIterator[None]:
    """In a process of its own, which is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.busy_trader", str(data), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), LONGEST * 2) == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def venue(engine: TradingEngine, path: str) -> Any:
    headers = {"APCA-API-KEY-ID": "demo", "APCA-API-SECRET-KEY": "demo"}
    url = f"{engine._parts.venue.url}/v2/{path}"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        return await answer.json()


async def test_an_engine_that_was_saved_while_it_traded_and_killed_goes_on_elsewhere_with_what_it_had(
    tmp_path: Path,
) -> None:
    async with trading(tmp_path / "lost"):
        source = source_of(load_settings(tmp_path / "lost"), market=False, lake=False)
        path, manifest = await asyncio.to_thread(create, source, tmp_path / "backups", NOW)
    assert manifest.journal_rows > 0
    restore(path, load_settings(tmp_path / "new"), NOW)
    async with running(tmp_path / "new", backup={"every_h": 1 / 3600}, **FEWER_PROCESSES) as engine:
        await until(lambda: (row := engine.views.health.get("reconciliation")) and row.state == "good", LONGEST)
        await until(lambda: (row := engine.views.balance.get("SPY")) and row.verdict == "equal", LONGEST)
        (position,) = await venue(engine, "positions")
        held = sum(row.quantity for row in engine.views.positions if row.symbol == "SPY" and row.sleeve == "manual")
        assert (position["symbol"], Decimal(position["qty"])) == ("SPY", Decimal(str(held)))
        assert held > 0
        open_there = {order["client_order_id"] for order in await venue(engine, "orders?status=open")}
        resting = [row for row in engine.views.orders if row.is_open]
        assert {row.client_order_id for row in resting} == open_there
        assert [row.symbol for row in resting if row.symbol == "AAPL"] == ["AAPL"]
        known = {row.client_order_id for row in engine.views.orders}
        assert {order["client_order_id"] for order in await venue(engine, "orders?status=all")} == known
        assert not [row for row in engine.views.errors if row.severity in ("error", "critical")]
        own = tmp_path / "new" / "backups"
        await until(lambda: backups(own, "demo"), LONGEST)
        assert all(manifest.scheduled for _, manifest in backups(own, "demo"))
