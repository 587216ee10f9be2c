"""What somebody else buys in the account has its prices, so that it can be valued and sold from here; and what a person
takes off the list is off it after a restart."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from engine.domain.errors import DataError
from engine.domain.orders import OrderRequest, Side
from engine.orchestrator.engine import TradingEngine
from tests.e2e.test_engine import LONGEST, running
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
ALONE = {"bots": [{"name": "off", "strategy": "sma-cross", "symbols": ["SPY"], "enabled": False}]}


def buy_elsewhere(engine: TradingEngine, symbol: str) -> None:
    address = engine._parts.venue.address
    client = TradingClient(address.key, address.secret, paper=True, url_override=address.trading_url)
    client.submit_order(MarketOrderRequest(symbol=symbol, qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))


def is_priced(engine: TradingEngine, symbol: str) -> bool:
    row = engine.views.quotes.get(symbol)
    return row is not None and row.last > 0


async def test_what_is_bought_elsewhere_is_followed_and_sold_and_stays_off_the_list_after_that(tmp_path: Path) -> None:
    async with running(tmp_path, **ALONE) as engine:
        await until(lambda: is_priced(engine, "AAPL"), LONGEST)
        await engine.unwatch("AAPL")
        sale = OrderRequest(symbol="AAPL", side=Side.SELL, quantity=Decimal(3), sleeve="external")
        await until(lambda: engine.check_order(sale).rule == "fresh_quote", LONGEST)
        assert engine.views.quotes.get("AAPL") is None
        await asyncio.to_thread(buy_elsewhere, engine, "AAPL")
        await until(lambda: is_priced(engine, "AAPL"), LONGEST)
        with pytest.raises(DataError, match="it is held"):
            await engine.unwatch("AAPL")
        (held,) = [row for row in engine.views.positions if row.symbol == "AAPL"]
        await until(lambda: engine.check_order(sale).rule != "fresh_quote", LONGEST)
        await engine.close_position(held.key)
        await until(lambda: not [row for row in engine.views.positions if row.symbol == "AAPL"], LONGEST)
        await engine.unwatch("AAPL")
        with pytest.raises(DataError, match="does not know"):
            await engine.watch("NONESUCH")
    async with running(tmp_path, **ALONE) as engine:
        await until(lambda: is_priced(engine, "SPY"), LONGEST)
        assert [row.symbol for row in engine.views.quotes] == ["SPY", "IBM", "BTC/USD"]
        await engine.watch("AAPL")
        await until(lambda: is_priced(engine, "AAPL"), LONGEST)
