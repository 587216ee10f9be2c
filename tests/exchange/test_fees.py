"""Fees: none on stocks unless they are asked for, a share of what a crypto trade brings in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import GetPortfolioHistoryRequest

from engine.domain.errors import ConfigurationError
from engine.domain.orders import Side
from engine.exchange.activities import Execution
from engine.exchange.fees import Fees
from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.exchange.conftest import call
from tests.exchange.test_accounts import execution
from tests.exchange.test_trading_client import OrderSide, market

REGULATORY = Fees(sec_rate=Decimal("0.0000278"), taf_rate=Decimal("0.000166"), taf_cap=Decimal("8.30"))


def sale(quantity: str, price: str, symbol: str = "SPY") -> Execution:
    return execution(Side.SELL, quantity, price, symbol=symbol)


def test_only_sales_of_stocks_are_charged_and_by_the_dollar_and_the_share() -> None:
    assert REGULATORY.accrued(sale("1000", "50")) == {"REG": Decimal("1.39"), "TAF": Decimal("0.166")}
    assert REGULATORY.accrued(execution(Side.BUY, "1000", "50")) == {}
    assert REGULATORY.accrued(sale("1", "50000", "BTC/USD")) == {}
    assert Fees().accrued(sale("1000", "50")) == {}


def test_the_activity_fee_of_a_fill_has_a_cap() -> None:
    assert REGULATORY.accrued(sale("50000", "1"))["TAF"] == Decimal("8.30")
    assert REGULATORY.accrued(sale("5000000", "1"))["TAF"] == Decimal("8.30")


async def test_bought_coins_arrive_without_the_fee_and_the_order_shows_what_it_filled(trading: TradingClient) -> None:
    order = await call(trading.submit_order, market("BTC/USD", qty=0.5))
    done = await call(trading.get_order_by_id, order.id)
    position = await call(trading.get_open_position, "BTCUSD")
    assert (done.filled_qty, position.qty, position.qty_available) == ("0.5", "0.49875", "0.49875")
    assert position.avg_entry_price == done.filled_avg_price
    (fee,) = await call(trading.get, "/account/activities/CFEE")
    assert (fee["activity_type"], fee["qty"], fee["net_amount"]) == ("CFEE", "-0.00125", "0")
    assert (fee["symbol"], fee["status"]) == ("BTCUSD", "executed")
    account = await call(trading.get_account)
    assert Decimal(account.cash) == round(100_000 - Decimal("0.5") * Decimal(done.filled_avg_price), 2)


async def test_sold_coins_bring_dollars_without_the_fee(trading: TradingClient) -> None:
    await call(trading.submit_order, market("BTC/USD", qty=0.5))
    before = Decimal((await call(trading.get_account)).cash)
    order = await call(trading.close_position, "BTC/USD")
    done = await call(trading.get_order_by_id, order.id)
    gross = Decimal(done.filled_qty) * Decimal(done.filled_avg_price)
    after = Decimal((await call(trading.get_account)).cash)
    assert after - before == pytest.approx(gross * (1 - Decimal("0.0025")), abs=Decimal("0.01"))
    sold, bought = await call(trading.get, "/account/activities/CFEE")
    assert Decimal(sold["net_amount"]) == pytest.approx(-gross * Decimal("0.0025"))
    assert "qty" not in sold
    assert bought["net_amount"] == "0"
    assert await call(trading.get_all_positions) == []


async def test_the_portfolio_history_shows_what_fees_took(trading: TradingClient) -> None:
    await call(trading.submit_order, market("BTC/USD", qty=0.5))
    await call(trading.close_position, "BTC/USD")
    request = GetPortfolioHistoryRequest(timeframe="1D", period="1D", cashflow_types="ALL")
    raw = await call(trading.get, "/account/portfolio/history", request.to_request_fields())
    paid = [Decimal(fee["net_amount"]) for fee in await call(trading.get, "/account/activities/CFEE")]
    assert raw["cashflow"]["CFEE"][-1] == pytest.approx(float(sum(paid)))
    assert set(raw["cashflow"]) == {"CFEE", "CIL", "DIV", "FEE"}
    assert (await call(trading.get_portfolio_history, request)).timeframe == "1D"


async def test_activities_of_every_kind_are_listed_together_and_apart(trading: TradingClient) -> None:
    await call(trading.submit_order, market("BTC/USD", qty=0.5))
    await call(trading.submit_order, market())

    async def kinds(**query: Any) -> list[str]:
        return [found["activity_type"] for found in await call(trading.get, "/account/activities", query)]

    assert await kinds(direction="asc") == ["FILL", "CFEE", "FILL"]
    assert await kinds(activity_types="CFEE,DIV") == ["CFEE"]
    assert await kinds(category="trade_activity") == ["FILL", "FILL"]
    assert await kinds(category="non_trade_activity") == ["CFEE"]
    assert await kinds(until="2020-01-01") == []
    assert await kinds(date="2020-01-01") == []
    assert len(await kinds(after="2020-01-01")) == 3
    (newest,) = await call(trading.get, "/account/activities", {"page_size": 1})
    assert await kinds(page_token=newest["id"]) == ["CFEE", "FILL"]
    assert await kinds(page_token=newest["id"], direction="asc") == []


async def test_regulatory_fees_wait_for_the_end_of_the_day_and_are_rounded_up() -> None:
    options = ExchangeOptions(symbols=("SPY",), fees="regulatory", partial_fills=0.0, recent_minutes=1)
    async with ExchangeServer(options) as server:
        client = TradingClient("key", "secret", url_override=server.url)
        client._session.trust_env = False
        await call(client.submit_order, market())
        await call(client.submit_order, market(side=OrderSide.SELL))
        desk = next(iter(server.venue.desks.values()))
        charged = sum(desk.account.accrued.values())

        server.venue.books.close_day(server.venue.now, server.venue.price_of)
        await server.floor.commit()
        found = await call(client.get, "/account/activities/FEE")
        assert {fee["description"] for fee in found} == {"SEC fee on sales", "FINRA trading activity fee"}
        paid = -sum(Decimal(fee["net_amount"]) for fee in found)
        assert 0 < charged <= paid < charged + Decimal("0.02")
        fills = await call(client.get, "/account/activities/FILL")
        made = sum((1 if f["side"] == "sell" else -1) * Decimal(f["qty"]) * Decimal(f["price"]) for f in fills)
        assert Decimal((await call(client.get_account)).cash) == round(100_000 + made - paid, 2)
        client._session.close()


def test_fees_that_make_no_sense_are_told() -> None:
    for wrong in ({"crypto_fee_bps": Decimal(-1)}, {"taf_rate": Decimal("NaN")}, {"sec_fee_rate": Decimal(2)}):
        with pytest.raises(ConfigurationError, match="fees"):
            ExchangeOptions(**wrong)  # type: ignore[arg-type]
