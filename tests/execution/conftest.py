"""The trading core on the real broker and the real exchange, with a journal on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.broker.address import VenueAddress
from engine.broker.alpaca import AlpacaBroker
from engine.broker.trade_updates import StreamState, TradeUpdates
from engine.bus import Bus
from engine.clock import IdFactory, SystemClock
from engine.domain.events import Event, ExecutionEvent, RiskEvent, SystemEvent
from engine.domain.orders import Fill, OrderRequest, OrderType, Side
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.execution.trading import TradingCore
from engine.risk.context import PriceView
from engine.risk.limits import Limits
from engine.storage.journal import open_journal
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock
from tests.waiting import until

LOOSE = Limits(
    max_order_notional=Decimal(50_000), max_order_share=0.5, max_position_share=1.0, orders_per_second=1_000,
    orders_per_minute=1_000, duplicate_window_s=0.0, repeated_fills=1_000, signal_life_s=5.0,
)  # fmt: skip


class Desk:
    """One life of the trading core: open it, let it trade, close it; the journal stays."""

    def __init__(self, url: str, path: Path, limits: Limits = LOOSE) -> None:
        self._address = VenueAddress.local(url, "key", "secret")
        self._path = path
        self._limits = limits
        self._clock = SystemClock()
        self.failures: list[BaseException] = []
        self.fills: list[Fill] = []
        self.events: list[Event] = []
        self.prices: dict[str, PriceView] = {}
        self.core: TradingCore

    async def open(self, stream: bool = True, reconcile: bool = True) -> None:
        self._journal, recovered = open_journal(self._path)
        self.broker = AlpacaBroker(self._address, self._clock, read_timeout=1.5)
        self._bus = Bus(lambda event, error: self.failures.append(error))
        self._bus.start()
        self._bus.subscribe(ExecutionEvent, lambda event: self.fills.append(event.fill))
        for kind in (RiskEvent, SystemEvent):
            self._bus.subscribe(kind, self.events.append)
        self.core = TradingCore(
            broker=self.broker, journal=self._journal, recovered=recovered, bus=self._bus, clock=self._clock,
            ids=IdFactory(self._clock), limits=self._limits, environment="demo", prices=self.price,
        )  # fmt: skip
        await self.core.refresh_account()
        await self.core.refresh_market()
        self.updates = TradeUpdates(
            lambda: self._address, self.core.on_trade_update, lambda state, reason: None, seed=1
        )
        self._listening = asyncio.create_task(self.updates.run()) if stream else None
        if stream:
            await until(lambda: self.updates.state is StreamState.LISTENING)
        if reconcile:
            await self.core.reconcile("test")
            self.core.ready = True

    async def close(self) -> None:
        await self.core.stop()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self.broker.close()
        await self._bus.close()
        await self._journal.close()
        assert self.failures == []

    def price(self, symbol: str) -> PriceView | None:
        return self.prices.get(symbol)

    async def learn_prices(self, exchange: ExchangeServer) -> None:
        async with aiohttp.ClientSession(
            headers={"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
        ) as session:
            answer = await session.get(f"{exchange.url}/v2/stocks/quotes/latest", params={"symbols": "SPY,AAPL"})
            quotes: dict[str, Any] = (await answer.json())["quotes"]
        for symbol, quote in quotes.items():
            self.prices[symbol] = PriceView(bid=quote["bp"], ask=quote["ap"], last=quote["ap"], age=0.1)


@pytest.fixture
async def exchange() -> AsyncIterator[ExchangeServer]:
    async with ExchangeServer(
        ExchangeOptions(symbols=("SPY", "AAPL"), partial_fills=0.0, jumps_per_day=0.0, revisions_per_hour=0.0)
    ) as server:
        yield server


@pytest.fixture
async def desk(exchange: ExchangeServer, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(exchange.url, tmp_path / "orders.db")
    await desk.open()
    await desk.learn_prices(exchange)
    yield desk
    await desk.close()


async def fault(exchange: ExchangeServer, **fields: object) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{exchange.url}/paddock/faults", json=fields) as answer,
    ):
        assert answer.status == 200, await answer.text()


def buy(quantity: int = 1, symbol: str = "SPY", sleeve: str = "test", limit: str | None = None) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(quantity),
        sleeve=sleeve,
        type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=Decimal(limit) if limit else None,
    )


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[ScriptedDesk]:
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db")
    await desk.open()
    yield desk
    await desk.close()
