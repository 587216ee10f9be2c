"""The real engine with its children, in this process: paused and resumed, over a restart, and mended when a part dies."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_settings
from engine.domain.errors import PaddockError, UnavailableError
from engine.domain.events import Severity, TradingState
from engine.domain.orders import OrderRequest, Side
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TradingEngine
from engine.orchestrator.plan import EXCHANGE, FEED
from engine.orchestrator.states import EngineState
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LONGEST = 25.0
NOT_BLOCKED = {"new", "accepted", "pending_new", "partially_filled", "filled"}


@asynccontextmanager
async def running(data: Path, **said: Any) -> AsyncIterator[TradingEngine]:
    settings = load_settings(data, {"symbols": ["SPY", "AAPL", "IBM", "BTC/USD"], **said})
    with Installation(settings.data, folder_name(settings)) as installation:
        engine = TradingEngine(settings, installation)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()


def of_bots(engine: TradingEngine) -> int:
    return sum(row.sleeve != "manual" for row in engine.views.orders)


def signals(engine: TradingEngine) -> int:
    return sum(row.signals for row in engine.views.bots)


async def buy_by_hand(engine: TradingEngine) -> str:
    request = OrderRequest(symbol="SPY", side=Side.BUY, quantity=Decimal(1))
    await until(lambda: engine.check_order(request).allowed, LONGEST)
    return (await engine.place_order(request)).status


async def test_a_pause_stops_bots_only_and_outlives_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        assert engine.state is EngineState.RUNNING
        await engine.pause("lunch")
        assert (engine.state, engine.views.summary.engine_state) == (EngineState.PAUSED, "PAUSED")
        assert "lunch" in engine.views.summary.engine_state_reason
        assert engine.views.summary.trading_state is TradingState.ACTIVE
        assert await buy_by_hand(engine) in NOT_BLOCKED
    async with running(tmp_path) as engine:
        assert engine.state is EngineState.PAUSED
        known, heard = of_bots(engine), signals(engine)
        await until(lambda: signals(engine) > heard, LONGEST)
        assert of_bots(engine) == known
        await engine.resume()
        assert engine.state is EngineState.RUNNING
        await until(lambda: of_bots(engine) > known, LONGEST)
    async with running(tmp_path) as engine:
        assert engine.state is EngineState.RUNNING


async def test_the_stream_of_a_killed_exchange_is_mended_and_compared_and_trading_stays_active(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        health = engine.views.health
        await until(lambda: (row := health.get("reconciliation")) and row.state == "good", LONGEST)
        exchange = engine.views.processes.get(EXCHANGE)
        assert exchange is not None
        os.kill(exchange.pid, signal.SIGKILL)
        for part in ("broker stream", "reconciliation"):
            await until(lambda part=part: (row := health.get(part)) and row.state == "good"
                        and ("recovered" in row.detail or part == "reconciliation"), LONGEST)  # fmt: skip
        assert await buy_by_hand(engine) in NOT_BLOCKED
        assert engine.views.summary.trading_state is TradingState.ACTIVE


async def test_a_part_that_is_given_up_lets_only_orders_through_that_reduce(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        await engine.pause("quiet")
        assert await buy_by_hand(engine) in NOT_BLOCKED
        engine._parts.components.give_up("market link", "it ended again and again")
        await until(lambda: engine.views.summary.trading_state is TradingState.REDUCING, LONGEST)
        (alert,) = await until(lambda: [row for row in engine.views.errors if row.component == "market link"], LONGEST)
        assert "again and again" in alert.message
        assert alert.remedy
        more = OrderRequest(symbol="SPY", side=Side.BUY, quantity=Decimal(2))
        less = OrderRequest(symbol="SPY", side=Side.SELL, quantity=Decimal(1), reduces=True)
        assert not engine.check_order(more).allowed
        await until(lambda: engine.check_order(less).allowed, LONGEST)
        await engine.allow_trading()
        await until(lambda: engine.check_order(more).allowed, LONGEST)


async def test_a_critical_process_that_is_given_up_lets_only_orders_through_that_reduce(tmp_path: Path) -> None:
    async with running(tmp_path, processes={"feed": {"restarts": 0}}) as engine:
        feed = engine.views.processes.get(FEED)
        assert feed is not None
        os.kill(feed.pid, signal.SIGKILL)
        await until(lambda: engine.views.summary.trading_state is TradingState.REDUCING, LONGEST)
        (alert,) = await until(lambda: [row for row in engine.views.errors if "FATAL" in row.message], LONGEST)
        assert alert.severity is Severity.CRITICAL
        (card,) = engine.views.incidents
        assert (card.process, card.kind, card.fingerprint) == (FEED, "given up", alert.fingerprint)
        assert "killed by a person" in card.cause
    async with running(tmp_path) as engine:
        assert [row.key for row in engine.views.incidents] == [card.key], "kept for the next run"


async def test_an_event_that_a_handler_cannot_take_is_delivered_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as engine:
        projection = engine._parts.projection
        monkeypatch.setattr(projection, "fill", lambda fill: 1 / 0)
        await engine.pause("quiet")
        await buy_by_hand(engine)
        letters = engine.views.dead_letters
        await until(lambda: any(row.kind == "ExecutionEvent" for row in letters), LONGEST)
        (row,) = [row for row in letters if row.kind == "ExecutionEvent"][:1]
        assert (row.handler, "ZeroDivisionError" in row.error) == ("fills", True)
        fills = len(engine.views.fills)
        with pytest.raises(PaddockError):
            await engine.deliver_dead_letters([row.key])
        monkeypatch.undo()
        await engine.deliver_dead_letters([row.key])
        assert letters.get(row.key) is None
        assert len(engine.views.fills) == fills + 1


async def test_an_engine_that_is_not_up_can_be_neither_paused_nor_resumed(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    with Installation(settings.data, folder_name(settings)) as installation:
        engine = TradingEngine(settings, installation)
        for command in (engine.pause("too early"), engine.resume()):
            with pytest.raises(UnavailableError, match="CREATED") as refused:
                await command
            assert refused.value.remedy
        await engine.stop()
        assert engine.state is EngineState.STOPPED
