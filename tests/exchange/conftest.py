"""A running exchange, and the real alpaca-py against it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.shared_data import FOLDER

with warnings.catch_warnings():
    # alpaca-py 0.44 imports websockets.legacy
    warnings.simplefilter("ignore", DeprecationWarning)
    import alpaca.data.live.stock
    import alpaca.trading.stream  # noqa: F401

from alpaca.trading.client import TradingClient

WAIT = 10.0


@pytest.fixture
async def exchange() -> AsyncIterator[ExchangeServer]:
    """A small simulated exchange without random partial fills, jumps and corrections."""
    options = ExchangeOptions(
        symbols=("SPY", "AAPL", "BTC/USD"),
        partial_fills=0.0,
        recent_minutes=1,
        jumps_per_day=0.0,
        revisions_per_hour=0.0,
    )
    async with ExchangeServer(options) as server:
        yield server


@pytest.fixture
def trading(exchange: ExchangeServer) -> Iterator[TradingClient]:
    client = TradingClient("key", "secret", url_override=exchange.url)
    client._session.trust_env = False
    yield client
    client._session.close()


async def call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """One call of alpaca-py's blocking client beside the server's loop."""
    return await asyncio.to_thread(function, *arguments, **options)


@pytest.fixture
def shared_data() -> Path:
    if not (FOLDER / "trades").is_dir():
        pytest.skip(f"no recorded data in {FOLDER}; set PADDOCK_SHARED_DATA")
    return FOLDER
