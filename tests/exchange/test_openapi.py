"""The OpenAPI document, and schemathesis with it: whatever it thinks of, the answer is as the document says."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
import requests
import schemathesis
from aiohttp.web import PlainResource, Resource
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce, TradeConfirmationEmail
from alpaca.trading.models import AccountConfiguration
from alpaca.trading.requests import CreateWatchlistRequest, LimitOrderRequest, MarketOrderRequest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from engine.exchange.server import ExchangeServer
from engine.exchange.server.data_stream import FEEDS
from engine.exchange.server.openapi import document
from tests.exchange.test_bad_input import ledger

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
USUAL = AccountConfiguration(
    fractional_trading=True, max_margin_multiplier="4", no_shorting=False, suspend_trade=False,
    trade_confirm_email=TradeConfirmationEmail.NONE, ptp_no_exception_entry=False,
)  # fmt: skip
EXAMPLES = 3
"""Of valid and of invalid data each, for every operation."""
CHECKS: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


async def served(exchange: ExchangeServer) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(exchange.url + "/paddock/openapi.json") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_the_document_has_every_route_that_is_served(exchange: ExchangeServer) -> None:
    paths = (await served(exchange))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert exchange._runner is not None
    routes = exchange._runner.app.router.routes()
    streams = {*FEEDS, "/stream"}
    real = {
        (route.method, resource.canonical)
        for route in routes
        if isinstance(resource := route.resource, (PlainResource, Resource)) and resource.canonical not in streams
    }
    assert described == real


async def test_the_document_names_no_schema_that_it_does_not_have(exchange: ExchangeServer) -> None:
    found = await served(exchange)
    named = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert named == set(found["components"]["schemas"])
    assert found == document(["SPY", "AAPL", "BTC/USD"])


async def test_no_request_breaks_the_exchange_and_a_refused_one_changes_nothing(
    exchange: ExchangeServer, trading: TradingClient
) -> None:
    # Without a market that moves, only requests change the ledger.
    assert exchange._pump_task is not None
    exchange._pump_task.cancel()
    await asyncio.gather(exchange._pump_task, return_exceptions=True)
    exchange._pump_task = None
    schema = schemathesis.openapi.from_dict(await served(exchange))
    await asyncio.to_thread(fuzz, schema, exchange, trading)
    assert exchange.counters.failures == 0


def fuzz(schema: Any, exchange: ExchangeServer, trading: TradingClient) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for found in schema.get_all_operations():
            operation = found.ok()
            known = something_there(trading)
            present = {name: known[name] for name in known if f"{{{name}}}" in operation.path}
            fuzz_operation(operation, present, exchange, session)


def something_there(trading: TradingClient) -> dict[str, object]:
    """An open order, a position and a watchlist, so that a request can find them."""
    order = LimitOrderRequest(symbol="SPY", qty=2, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=1.0)
    bought = MarketOrderRequest(symbol="BTC/USD", notional=100, side=OrderSide.BUY, time_in_force=TimeInForce.GTC)
    trading.set_account_configurations(USUAL)
    trading.close_all_positions(cancel_orders=True)
    trading.submit_order(bought)
    for old in trading.get_watchlists():
        trading.delete_watchlist_by_id(old.id)
    watchlist = trading.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["SPY"]))
    return {"order_id": str(trading.submit_order(order).id), "list_id": str(watchlist.id), "number": 1}


def fuzz_operation(
    operation: Any, present: dict[str, object], exchange: ExchangeServer, session: requests.Session
) -> None:
    valid = operation.as_strategy(path_parameters=present or None)
    wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

    @settings(
        max_examples=2 * EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(valid, wrong))
    def answers_as_described(case: Any) -> None:
        before = ledger(exchange)
        answer = case.call(base_url=exchange.url, session=session, headers=KEYS, timeout=10)
        # Faults would meet the requests that follow.
        exchange.floor.faults.clear()
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400:
            assert ledger(exchange) == before
            assert isinstance(answer.json()["code"], int) and answer.json()["message"]

    answers_as_described()
