"""Watchlists with alpaca-py, and what they survive."""

from __future__ import annotations

from pathlib import Path

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import CreateWatchlistRequest, UpdateWatchlistRequest

from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.exchange.conftest import call


async def test_a_watchlist_is_made_changed_and_deleted(trading: TradingClient) -> None:
    made = await call(trading.create_watchlist, CreateWatchlistRequest(name="mine", symbols=["SPY", "BTC/USD"]))
    assert [asset.symbol for asset in made.assets] == ["SPY", "BTC/USD"]
    assert [found.name for found in await call(trading.get_watchlists)] == ["mine"]
    added = await call(trading.add_asset_to_watchlist_by_id, made.id, "AAPL")
    assert [asset.symbol for asset in added.assets] == ["SPY", "BTC/USD", "AAPL"]
    removed = await call(trading.remove_asset_from_watchlist_by_id, made.id, "BTC/USD")
    assert [asset.symbol for asset in removed.assets] == ["SPY", "AAPL"]
    renamed = await call(trading.update_watchlist_by_id, made.id, UpdateWatchlistRequest(name="other"))
    assert (renamed.name, len(renamed.assets)) == ("other", 2)
    await call(trading.delete_watchlist_by_id, made.id)
    assert await call(trading.get_watchlists) == []


async def test_names_are_unique_and_symbols_known(trading: TradingClient) -> None:
    await call(trading.create_watchlist, CreateWatchlistRequest(name="mine", symbols=["SPY"]))
    for name, symbol in (("mine", "SPY"), ("new", "NONE"), ("x" * 65, "SPY")):
        with pytest.raises(APIError) as caught:
            await call(trading.create_watchlist, CreateWatchlistRequest(name=name, symbols=[symbol]))
        assert caught.value.status_code == 422
    assert len(await call(trading.get_watchlists)) == 1


async def test_watchlists_are_kept_with_the_account(tmp_path: Path) -> None:
    options = ExchangeOptions(symbols=("SPY",), state=tmp_path)
    for expected in (0, 1):
        async with ExchangeServer(options) as server:
            client = TradingClient("key", "secret", url_override=server.url)
            client._session.trust_env = False
            assert len(await call(client.get_watchlists)) == expected
            if not expected:
                await call(client.create_watchlist, CreateWatchlistRequest(name="mine", symbols=["SPY"]))
            client._session.close()
