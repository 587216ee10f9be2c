"""The real engine keeps its state: three books agree, also over a fee in coins, and a damaged snapshot costs nothing."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.orders import OrderRequest, Side, TimeInForce
from engine.orchestrator.engine import TradingEngine
from tests.e2e.test_engine import LONGEST, NOT_BLOCKED, buy_by_hand, running
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def buy_coins(engine: TradingEngine) -> None:
    request = OrderRequest(
        symbol="BTC/USD", side=Side.BUY, quantity=Decimal("0.01"), time_in_force=TimeInForce.GTC
    )  # fmt: skip
    await until(lambda: engine.check_order(request).allowed, LONGEST)
    assert (await engine.place_order(request)).status in NOT_BLOCKED


def held(engine: TradingEngine) -> dict[str, float]:
    return {row.symbol: row.quantity for row in engine.views.positions if row.sleeve == "manual"}


async def test_positions_come_back_from_snapshots_and_from_the_journal_alone(tmp_path: Path) -> None:
    folder = tmp_path / "demo" / "snapshots"
    async with running(tmp_path) as engine:
        await engine.pause("by hand only")
        assert await buy_by_hand(engine) in NOT_BLOCKED
        await buy_coins(engine)
        # The venue keeps its fee in coins.
        await until(lambda: 0 < held(engine).get("BTC/USD", 0.0) < 0.01, LONGEST)
        await until(lambda: held(engine).get("SPY") == 1, LONGEST)
        before = held(engine)
    (snapshot,) = folder.glob("*.snapshot")
    async with running(tmp_path) as engine:
        await until(lambda: held(engine) == before, LONGEST)
        await until(lambda: {row.symbol: row.verdict for row in engine.views.balance}.get("SPY") == "equal", LONGEST)
        assert {row.symbol: row.verdict for row in engine.views.balance}["BTC/USD"] == "equal"
        assert not any("snapshot" in row.message for row in engine.views.errors)
    newest = max(folder.glob("*.snapshot"))
    newest.write_bytes(newest.read_bytes()[:100])
    snapshot.write_bytes(b"")
    async with running(tmp_path) as engine:
        await until(lambda: held(engine) == before, LONGEST)
        await until(lambda: any("damaged" in row.message for row in engine.views.errors), LONGEST)
    assert len(list(folder.glob("*.damaged"))) == 2
