"""Every method of alpaca-py's TradingClient against the exchange, with models and with raw data."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.models import AccountConfiguration
from alpaca.trading.requests import (
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetCorporateAnnouncementsRequest,
    GetOptionContractsRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
    UpdateWatchlistRequest,
)

from engine.exchange.server import ExchangeServer
from engine.exchange.sessions import new_york
from tests.exchange.conftest import call
from tests.exchange.test_trading_client import limit, market

pytestmark = pytest.mark.filterwarnings("ignore:get_corporate_announcement:DeprecationWarning")
NOTHING = "00000000-0000-4000-8000-000000000000"


class Caller:
    """Calls methods by name and notes which have been called."""

    def __init__(self, client: TradingClient) -> None:
        self.client = client
        self.called: set[str] = set()

    async def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.called.add(name)
        return await call(getattr(self.client, name), *arguments, **options)

    async def refused(self, name: str, *arguments: Any) -> tuple[int, int]:
        with pytest.raises(APIError) as caught:
            await self(name, *arguments)
        return caught.value.status_code, caught.value.code

    async def field(self, name: str, key: str, *arguments: Any) -> str:
        """One field of an answer, whether it is a model or raw."""
        return value(await self(name, *arguments), key)


def value(answer: Any, key: str) -> str:
    found = answer[key] if isinstance(answer, dict) else getattr(answer, key)
    return str(getattr(found, "value", found))


@pytest.fixture(params=["models", "raw data"])
async def caller(request: pytest.FixtureRequest, exchange: ExchangeServer) -> AsyncIterator[Caller]:
    client = TradingClient("key", "secret", url_override=exchange.url, raw_data=request.param == "raw data")
    client._session.trust_env = False
    yield Caller(client)
    client._session.close()


def public_methods() -> set[str]:
    shared = {"get", "post", "put", "patch", "delete", "response_wrapper"}
    members = inspect.getmembers(TradingClient, inspect.isfunction)
    return {name for name, _ in members if not name.startswith("_")} - shared


async def test_every_method_is_answered(exchange: ExchangeServer, caller: Caller) -> None:
    await orders(caller)
    await positions(caller)
    await account(caller)
    await market_and_assets(exchange, caller)
    await watchlists(caller)
    await announcements_and_options(exchange, caller)
    assert public_methods() - caller.called == set()


async def orders(caller: Caller) -> None:
    sent = await caller("submit_order", limit(1.0, client_order_id="mine"))
    order_id = value(sent, "id")
    assert await caller.field("get_order_by_client_id", "id", "mine") == order_id
    new = await caller("replace_order_by_id", order_id, ReplaceOrderRequest(qty=3))
    assert await caller.field("get_order_by_id", "replaced_by", order_id) == value(new, "id")
    assert [value(order, "id") for order in await caller("get_orders")] == [value(new, "id")]
    await caller("cancel_order_by_id", value(new, "id"))
    assert await caller.field("get_order_by_id", "status", value(new, "id")) == "canceled"
    await caller("submit_order", limit(1.0))
    (cancelled,) = await caller("cancel_orders")
    assert value(cancelled, "status") == "200"
    assert await caller("get_orders") == []


async def positions(caller: Caller) -> None:
    await caller("submit_order", market(qty=10))
    (position,) = await caller("get_all_positions")
    assert value(position, "qty") == "10"
    closing = await caller("close_position", "SPY", ClosePositionRequest(qty="4"))
    assert (value(closing, "qty"), value(closing, "side")) == ("4", "sell")
    assert await caller.field("get_open_position", "qty", "SPY") == "6"
    assert await caller.refused("exercise_options_position", "SPY") == (422, 42210000)
    assert await caller.refused("exercise_options_position", "AAPL261218C00100000") == (404, 40410000)
    (answer,) = await caller("close_all_positions", True)
    assert (value(answer, "symbol"), value(answer, "status")) == ("SPY", "200")


async def account(caller: Caller) -> None:
    assert await caller.field("get_account", "status") == "ACTIVE"
    settings = await caller("get_account_configurations")
    assert value(settings, "max_margin_multiplier") == "2"
    await configure(caller)
    history = await caller("get_portfolio_history", GetPortfolioHistoryRequest(timeframe="1Min", period="1D"))
    assert value(history, "timeframe") == "1Min"


async def configure(caller: Caller) -> None:
    wanted = AccountConfiguration(
        fractional_trading=True,
        max_margin_multiplier="1",
        no_shorting=True,
        suspend_trade=False,
        trade_confirm_email="none",
        ptp_no_exception_entry=False,
    )
    assert value(await caller("set_account_configurations", wanted), "max_margin_multiplier") == "1"


async def market_and_assets(exchange: ExchangeServer, caller: Caller) -> None:
    assert await caller.field("get_clock", "is_open") == "True"
    today = new_york(exchange.venue.now).date()
    (day,) = await caller("get_calendar", GetCalendarRequest(start=today, end=today))
    assert value(day, "date")[:10] == str(today)
    assert await caller.field("get_asset", "symbol", "BTC/USD") == "BTC/USD"
    assert len(await caller("get_all_assets")) == 3


async def watchlists(caller: Caller) -> None:
    made = await caller("create_watchlist", CreateWatchlistRequest(name="mine", symbols=["SPY"]))
    list_id = value(made, "id")
    await caller("add_asset_to_watchlist_by_id", list_id, "BTC/USD")
    await caller("update_watchlist_by_id", list_id, UpdateWatchlistRequest(name="ours"))
    await caller("remove_asset_from_watchlist_by_id", list_id, "SPY")
    assert await caller.field("get_watchlist_by_id", "name", list_id) == "ours"
    assert len(await caller("get_watchlists")) == 1
    await caller("delete_watchlist_by_id", list_id)
    assert await caller.refused("get_watchlist_by_id", list_id) == (404, 40410000)


async def announcements_and_options(exchange: ExchangeServer, caller: Caller) -> None:
    today = new_york(exchange.venue.now).date()
    request = GetCorporateAnnouncementsRequest(ca_types=["split"], since=today - timedelta(days=30), until=today)
    assert await caller("get_corporate_announcements", request) == []
    assert await caller.refused("get_corporate_announcement_by_id", NOTHING) == (404, 40410000)
    contracts = await caller("get_option_contracts", GetOptionContractsRequest(underlying_symbols=["SPY"]))
    assert value(contracts, "option_contracts") == "[]"
    assert value(contracts, "next_page_token") == "None"
    assert await caller.refused("get_option_contract", "SPY261218C00100000") == (404, 40410000)


async def test_assets_are_filtered_by_status_class_exchange_and_attributes(trading: TradingClient) -> None:
    async def symbols(**fields: Any) -> set[str]:
        return {asset.symbol for asset in await call(trading.get_all_assets, GetAssetsRequest(**fields))}

    assert await symbols(asset_class="crypto") == {"BTC/USD"}
    assert await symbols(status="active") == {"SPY", "AAPL", "BTC/USD"}
    assert await symbols(status="inactive") == set()
    assert await symbols(exchange="NASDAQ") == {"AAPL"}
    assert await symbols(exchange="ARCA", asset_class="us_equity") == {"SPY"}
    assert await symbols(attributes="ptp_with_exception") == set()


async def test_nested_lists_have_the_legs_inside_their_order(trading: TradingClient) -> None:
    bracket = LimitOrderRequest(
        symbol="SPY",
        qty=2,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=10,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=20),
        stop_loss=StopLossRequest(stop_price=5),
    )
    sent = await call(trading.submit_order, bracket)
    (nested,) = await call(trading.get_orders, GetOrdersRequest(nested=True))
    assert (nested.id, {leg.type.value for leg in nested.legs}) == (sent.id, {"limit", "stop"})
    flat = await call(trading.get_orders, GetOrdersRequest(nested=False))
    assert [bool(order.legs) for order in flat] == [False] * 3
    one = await call(trading.get_order_by_id, sent.id, GetOrderByIdRequest(nested=True))
    assert [leg.id for leg in one.legs] == [leg.id for leg in nested.legs]


async def test_lists_are_cut_by_side_symbol_and_time(trading: TradingClient) -> None:
    for price, symbol in ((1.0, "SPY"), (1.1, "AAPL"), (1.2, "SPY")):
        await call(trading.submit_order, limit(price, symbol))
    await call(trading.submit_order, limit(9999.0, "AAPL", side=OrderSide.SELL))

    async def prices(**fields: Any) -> list[str]:
        request = GetOrdersRequest(**{"status": QueryOrderStatus.ALL, "direction": "asc"} | fields)
        return [order.limit_price for order in await call(trading.get_orders, request)]

    orders = await call(trading.get_orders, GetOrdersRequest(direction="asc"))
    assert await prices(side=OrderSide.BUY) == ["1", "1.1", "1.2"]
    assert await prices(symbols=["AAPL"]) == ["1.1", "9999"]
    assert await prices(symbols=["AAPL"], side=OrderSide.SELL) == ["9999"]
    # alpaca-py reads times to the microsecond, cut off
    assert await prices(after=orders[1].submitted_at + timedelta(microseconds=1)) == ["1.2", "9999"]
    assert await prices(until=orders[1].submitted_at) == ["1"]
    assert await prices(limit=2, direction="desc") == ["9999", "1.2"]


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (ClosePositionRequest(qty="3"), "7"),
        (ClosePositionRequest(percentage="25"), "7.5"),
        (ClosePositionRequest(percentage="100"), None),
        (None, None),
    ],
)
async def test_a_position_is_closed_by_quantity_by_percentage_or_whole(
    trading: TradingClient, request_: ClosePositionRequest | None, left: str | None
) -> None:
    await call(trading.submit_order, market(qty=10))
    await call(trading.close_position, "SPY", request_)
    held = await call(trading.get_all_positions)
    assert [position.qty for position in held] == ([] if left is None else [left])


async def test_what_cannot_be_closed_is_refused(trading: TradingClient) -> None:
    await call(trading.submit_order, MarketOrderRequest(symbol="SPY", qty=1, side="buy", time_in_force="day"))
    for symbol, request, status in (
        ("AAPL", None, 404),
        ("SPY", ClosePositionRequest(qty="2"), 403),
        ("SPY", ClosePositionRequest(percentage="0.0000000001"), 422),
    ):
        with pytest.raises(APIError) as caught:
            await call(trading.close_position, symbol, request)
        assert caught.value.status_code == status
