"""alpaca-py's TradingClient against the exchange, over a real socket."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.exchange.conftest import call


def market(symbol: str = "SPY", qty: float = 10, side: OrderSide = OrderSide.BUY, **fields: Any) -> MarketOrderRequest:
    tif = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
    return MarketOrderRequest(symbol=symbol, qty=qty, side=side, time_in_force=tif, **fields)


def limit(
    price: float, symbol: str = "SPY", qty: float = 10, side: OrderSide = OrderSide.BUY, **fields: Any
) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol=symbol, qty=qty, side=side, time_in_force=TimeInForce.GTC, limit_price=price, **fields
    )


async def refusal(client: TradingClient, request: Any) -> tuple[int, int]:
    with pytest.raises(APIError) as caught:
        await call(client.submit_order, request)
    return caught.value.status_code, caught.value.code


async def test_a_new_account_has_a_hundred_thousand_dollars(trading: TradingClient) -> None:
    account = await call(trading.get_account)
    assert (account.equity, account.cash, account.last_equity) == ("100000", "100000", "100000")
    assert account.buying_power == "200000"
    assert account.status == "ACTIVE"


async def test_a_market_order_is_accepted_and_filled_at_the_offer(trading: TradingClient) -> None:
    accepted = await call(trading.submit_order, market(client_order_id="mine"))
    assert accepted.status is OrderStatus.PENDING_NEW
    found = await call(trading.get_order_by_client_id, "mine")
    assert found.id == accepted.id
    assert found.status is OrderStatus.FILLED
    assert float(found.filled_qty) == 10
    position = await call(trading.get_open_position, "SPY")
    assert position.qty == "10"
    assert position.avg_entry_price == found.filled_avg_price
    account = await call(trading.get_account)
    assert float(account.cash) == pytest.approx(100_000 - 10 * float(found.filled_avg_price))


async def test_a_resting_order_can_be_listed_replaced_and_cancelled(trading: TradingClient) -> None:
    order = await call(trading.submit_order, limit(1.5))
    assert [o.id for o in await call(trading.get_orders)] == [order.id]
    replaced = await call(trading.replace_order_by_id, order.id, ReplaceOrderRequest(qty=20, limit_price=1.75))
    assert str(replaced.replaces) == str(order.id)
    old = await call(trading.get_order_by_id, order.id)
    assert (old.status, str(old.replaced_by)) == (OrderStatus.REPLACED, str(replaced.id))
    new = await call(trading.get_order_by_id, replaced.id)
    assert (new.status, new.qty, new.limit_price) == (OrderStatus.NEW, "20", "1.75")
    await call(trading.cancel_order_by_id, new.id)
    await call(trading.cancel_order_by_id, new.id)
    assert (await call(trading.get_order_by_id, new.id)).status is OrderStatus.CANCELED
    assert await call(trading.get_orders) == []


async def test_cancel_all_cancels_what_is_open_and_says_so(trading: TradingClient) -> None:
    ids = {(await call(trading.submit_order, limit(price))).id for price in (1.0, 1.1, 1.2)}
    answers = await call(trading.cancel_orders)
    assert {answer.id for answer in answers} == ids
    assert all(answer.status == 200 for answer in answers)
    assert await call(trading.get_orders) == []


async def test_orders_are_listed_by_status_side_symbol_time_and_direction(trading: TradingClient) -> None:
    first = await call(trading.submit_order, market())
    second = await call(trading.submit_order, limit(1.0, "AAPL"))
    third = await call(trading.submit_order, limit(9999.0, side=OrderSide.SELL))

    async def ids(**fields: Any) -> list[Any]:
        return [order.id for order in await call(trading.get_orders, GetOrdersRequest(**fields))]

    assert await ids(status=QueryOrderStatus.ALL) == [third.id, second.id, first.id]
    assert await ids(status=QueryOrderStatus.ALL, direction="asc", limit=2) == [first.id, second.id]
    assert await ids(status=QueryOrderStatus.CLOSED) == [first.id]
    assert await ids(side=OrderSide.SELL) == [third.id]
    assert await ids(symbols=["AAPL"]) == [second.id]
    # alpaca-py reads times to the microsecond, cut off
    after, until = first.submitted_at + timedelta(microseconds=1), third.submitted_at
    assert await ids(status=QueryOrderStatus.ALL, after=after, until=until) == [second.id]


async def test_positions_are_closed_in_part_and_in_whole(trading: TradingClient) -> None:
    await call(trading.submit_order, market(qty=10))
    await call(trading.submit_order, market("BTC/USD", qty=0.01))
    assert {p.symbol for p in await call(trading.get_all_positions)} == {"SPY", "BTCUSD"}
    await call(trading.close_position, "SPY", ClosePositionRequest(percentage="50"))
    assert (await call(trading.get_open_position, "SPY")).qty == "5"
    await call(trading.close_position, "BTC/USD")
    with pytest.raises(APIError) as missing:
        await call(trading.get_open_position, "BTCUSD")
    assert (missing.value.status_code, missing.value.code) == (404, 40410000)
    (answer,) = await call(trading.close_all_positions, cancel_orders=True)
    assert (answer.symbol, answer.status) == ("SPY", 200)
    assert await call(trading.get_all_positions) == []


async def test_a_short_sale_is_a_negative_position(trading: TradingClient) -> None:
    await call(trading.submit_order, market(side=OrderSide.SELL))
    position = await call(trading.get_open_position, "SPY")
    assert (position.qty, position.side.value) == ("-10", "short")
    await call(trading.close_position, "SPY")
    assert await call(trading.get_all_positions) == []


async def test_notional_orders_buy_what_the_dollars_give(trading: TradingClient) -> None:
    request = MarketOrderRequest(symbol="SPY", notional=100, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    order = await call(trading.submit_order, request)
    done = await call(trading.get_order_by_id, order.id)
    assert (done.notional, done.qty, done.status) == ("100", None, OrderStatus.FILLED)
    assert float(done.filled_qty) * float(done.filled_avg_price) == pytest.approx(100, abs=0.01)


async def test_stops_wait_as_new_orders(trading: TradingClient) -> None:
    stop = StopOrderRequest(symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, stop_price=9000)
    order = await call(trading.submit_order, stop)
    assert (await call(trading.get_order_by_id, order.id)).status is OrderStatus.NEW
    trail = TrailingStopOrderRequest(
        symbol="AAPL", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.GTC, trail_percent=50
    )
    order = await call(trading.submit_order, trail)
    shown = await call(trading.get_order_by_id, order.id)
    assert (shown.status, shown.trail_percent) == (OrderStatus.NEW, "50")
    assert float(shown.hwm) > 0


async def test_the_venue_refuses_with_its_own_codes(trading: TradingClient) -> None:
    await call(trading.submit_order, market(client_order_id="once"))
    assert await refusal(trading, market(client_order_id="once")) == (422, 40010001)
    assert await refusal(trading, market(qty=1_000_000)) == (403, 40310000)
    assert await refusal(trading, market("ZZZZ")) == (422, 42210000)
    assert await refusal(trading, limit(100.001)) == (422, 42210000)
    assert await refusal(trading, limit(100.0, qty=1.5)) == (422, 42210000)
    assert await refusal(trading, market("BTC/USD", qty=0.00001)) == (403, 40310000)
    assert await refusal(trading, market(qty=11, side=OrderSide.SELL)) == (403, 40310000)
    assert await refusal(trading, market("BTC/USD", side=OrderSide.SELL)) == (403, 40310000)


async def test_an_order_that_could_trade_with_ones_own_is_refused(trading: TradingClient) -> None:
    await call(trading.submit_order, limit(1.0))
    assert await refusal(trading, market(side=OrderSide.SELL)) == (403, 40310000)
    assert await refusal(trading, limit(0.99, side=OrderSide.SELL)) == (403, 40310000)


async def test_working_sells_hold_their_quantity(trading: TradingClient) -> None:
    await call(trading.submit_order, market(qty=10))
    await call(trading.submit_order, limit(9000.0, qty=6, side=OrderSide.SELL))
    assert (await call(trading.get_open_position, "SPY")).qty_available == "4"
    assert await refusal(trading, limit(9000.0, qty=5, side=OrderSide.SELL)) == (403, 40310000)
    with pytest.raises(APIError):
        await call(trading.close_position, "SPY")


async def test_a_filled_order_can_be_neither_cancelled_nor_replaced(trading: TradingClient) -> None:
    order = await call(trading.submit_order, market())
    for attempt in (
        lambda: trading.cancel_order_by_id(order.id),
        lambda: trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=5)),
    ):
        with pytest.raises(APIError) as caught:
            await call(attempt)
        assert (caught.value.status_code, caught.value.code) == (422, 42210000)


async def test_a_refused_replacement_leaves_the_old_order_and_its_hold(trading: TradingClient) -> None:
    order = await call(trading.submit_order, limit(100.0))
    before = (await call(trading.get_account)).buying_power
    with pytest.raises(APIError):
        await call(trading.replace_order_by_id, order.id, ReplaceOrderRequest(qty=1_000_000))
    assert (await call(trading.get_order_by_id, order.id)).status is OrderStatus.NEW
    assert (await call(trading.get_account)).buying_power == before == "199000"


async def test_clock_calendar_and_assets_are_readable(trading: TradingClient) -> None:
    clock = await call(trading.get_clock)
    assert clock.is_open
    assert clock.next_close > clock.timestamp
    days = await call(trading.get_calendar, GetCalendarRequest(start="2026-11-16", end="2026-11-17"))
    assert [str(day.date) for day in days] == ["2026-11-16", "2026-11-17"]
    assets = await call(trading.get_all_assets, GetAssetsRequest(asset_class="us_equity"))
    assert {asset.symbol for asset in assets} == {"SPY", "AAPL"}
    assert (await call(trading.get_asset, "BTC/USD")).symbol == "BTC/USD"
    with pytest.raises(APIError):
        await call(trading.get_asset, "NOPE")


async def test_configurations_are_kept_and_obeyed(trading: TradingClient) -> None:
    settings = await call(trading.get_account_configurations)
    settings.suspend_trade = True
    changed = await call(trading.set_account_configurations, settings)
    assert changed.suspend_trade
    assert await refusal(trading, market()) == (403, 40310000)


async def test_fills_and_equity_have_a_history(trading: TradingClient) -> None:
    await call(trading.submit_order, market(client_order_id="a"))
    await call(trading.submit_order, market(client_order_id="b", side=OrderSide.SELL))
    newest = await call(trading.get, "/account/activities/FILL")
    assert [fill["side"] for fill in newest] == ["sell", "buy"]
    assert newest[0]["order_status"] == "filled"
    rest = await call(trading.get, "/account/activities", {"activity_types": "FILL", "page_token": newest[0]["id"]})
    assert [fill["id"] for fill in rest] == [newest[1]["id"]]
    history = await call(trading.get_portfolio_history, GetPortfolioHistoryRequest(timeframe="1Min", period="1D"))
    assert history.equity[-1] == pytest.approx(100_000, abs=100)
    assert len(history.timestamp) == len(history.profit_loss) == len(history.profit_loss_pct)


async def test_each_key_pair_has_an_account_of_its_own(exchange: ExchangeServer, trading: TradingClient) -> None:
    other = TradingClient("key", "another secret", url_override=exchange.url)
    other._session.trust_env = False
    order = await call(trading.submit_order, market())
    assert (await call(other.get_account)).id != (await call(trading.get_account)).id
    assert await call(other.get_all_positions) == []
    with pytest.raises(APIError):
        await call(other.get_order_by_id, order.id)
    other._session.close()


@pytest.mark.parametrize(("key", "secret"), [("right", "wrong"), ("wrong", "right"), ("x" * 129, "right")])
async def test_configured_keys_are_the_only_ones(key: str, secret: str) -> None:
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), keys={"right": "right"})) as server:
        client = TradingClient(key, secret, url_override=server.url)
        client._session.trust_env = False
        with pytest.raises(APIError) as caught:
            await call(client.get_account)
        assert caught.value.status_code == 401
        client._session.close()


async def test_many_orders_at_once_are_all_taken_once(exchange: ExchangeServer, trading: TradingClient) -> None:
    await asyncio.gather(*(call(trading.submit_order, limit(1.0, client_order_id=f"n{i}")) for i in range(40)))
    found = await call(trading.get_orders, GetOrdersRequest(limit=100))
    assert sorted(order.client_order_id for order in found) == sorted(f"n{i}" for i in range(40))
    assert exchange.venue.orders_taken == 40
