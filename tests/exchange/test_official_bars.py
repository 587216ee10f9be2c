"""A recorded day replayed at top speed: the minute bars that alpaca-py gets then, beside the official ones."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from alpaca.data.historical import StockHistoricalDataClient
from alpaca.data.requests import StockBarsRequest
from alpaca.data.timeframe import TimeFrame

from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import at_new_york
from tests.exchange.conftest import call
from tests.waiting import until

DAY = "2013-10-07"
OPEN, CLOSE = (at_new_york(date.fromisoformat(DAY), clock) for clock in (time(9, 30), time(16)))
MINUTE = 60 * NANOSECONDS
SHARE = 0.985
"""Of the minutes whose open, high, low and close all equal the official ones; the rest are late reports."""


@asynccontextmanager
async def replayed(folder: Path, symbol: str) -> AsyncIterator[StockHistoricalDataClient]:
    """The exchange after the session of the day, with alpaca-py beside it."""
    options = ExchangeOptions(symbols=(symbol,), replay=folder, day=DAY, speed=100_000.0)
    async with ExchangeServer(options) as server:
        client = StockHistoricalDataClient("key", "secret", url_override=server.url)
        client._session.trust_env = False
        try:
            await until(lambda: server.venue.now > CLOSE + MINUTE, 60.0)
            yield client
        finally:
            client._session.close()


async def session_bars(client: StockHistoricalDataClient, symbol: str) -> list[Any]:
    request = StockBarsRequest(
        symbol_or_symbols=symbol, timeframe=TimeFrame.Minute, start=moment(OPEN), end=moment(CLOSE - MINUTE)
    )
    return list((await call(client.get_stock_bars, request)).data[symbol])


def moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / NANOSECONDS, UTC)


def official_bars(folder: Path, symbol: str) -> list[dict[str, Any]]:
    bars = polars.read_parquet(folder / "bars_1min" / f"{symbol}.parquet")
    return bars.filter(polars.col("timestamp").is_between(moment(OPEN), moment(CLOSE - MINUTE))).to_dicts()


@pytest.mark.parametrize("symbol", ["SPY", "AIG"])
async def test_the_bars_served_after_a_replay_are_the_official_ones(shared_data: Path, symbol: str) -> None:
    async with replayed(shared_data, symbol) as client:
        served = {bar.timestamp: bar for bar in await session_bars(client, symbol)}
    official = official_bars(shared_data, symbol)
    assert len(official) >= 389
    alike = [
        row["timestamp"] in served
        and all(abs(getattr(served[row["timestamp"]], n) - row[n]) < 1e-6 for n in ("open", "high", "low", "close"))
        for row in official
    ]
    share = float(np.mean(alike))
    sys.stdout.write(f"{symbol} {DAY}: {sum(alike)} of {len(alike)} minutes equal the official ones, {share:.2%}\n")
    assert share >= SHARE
