"""Every rule at its boundary; what is missing, not a number or stale is refused; who reduces gets through."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.broker.base import Asset
from engine.domain.events import TradingState
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account
from engine.risk.context import Context, PriceView
from engine.risk.gate import check
from engine.risk.limits import Limits
from engine.risk.recent import RecentOrders

NOW = 1_000 * NANOSECONDS
ACCOUNT = Account(
    account_number="1", status="ACTIVE", equity=Decimal(100_000), last_equity=Decimal(100_000), cash=Decimal(100_000),
    buying_power=Decimal(100_000),
)  # fmt: skip
ASSET = Asset(
    symbol="SPY", name="SPY", asset_class="us_equity", tradable=True, fractionable=True, shortable=True,
    easy_to_borrow=True,
)  # fmt: skip


def context(recent_orders: Iterable[Order] = (), open_orders: Sequence[Order] = (), **changes: Any) -> Context:
    base = Context(
        limits=Limits(), trading_state=TradingState.ACTIVE, ready=True, account=ACCOUNT, market_open=True,
        price=PriceView(bid=99.0, ask=100.0, last=100.0, age=1.0), net_position=Decimal(0), sleeve_position=Decimal(0),
        external_position=Decimal(0), gross_exposure=Decimal(0), recent=RecentOrders(recent_orders),
        working=[one for one in open_orders if one.symbol == "SPY"], open_count=len(open_orders),
        paused_until=0.0, now=NOW, monotonic=500.0, asset=ASSET, rate_used=0.0,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def request(quantity: str = "1", side: Side = Side.BUY, limit: str | None = None, sleeve: str = "test") -> OrderRequest:
    return OrderRequest(
        symbol="SPY", side=side, quantity=Decimal(quantity), sleeve=sleeve,
        type=OrderType.LIMIT if limit else OrderType.MARKET, limit_price=Decimal(limit) if limit else None,
    )  # fmt: skip


def order(**changes: Any) -> Order:
    base = Order(
        client_order_id="o", symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, sleeve="test", created_at=NOW, limit_price=Decimal(90),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def rule(asked: OrderRequest, **changes: Any) -> str:
    """The name of the rule that refuses; empty when the order may pass."""
    verdict = check(asked, context(**changes))
    assert verdict.allowed == (verdict.rule == "")
    assert verdict.allowed or verdict.message
    return verdict.rule


def test_an_ordinary_order_passes_with_what_it_is_worth() -> None:
    verdict = check(request("2"), context())
    assert verdict.allowed
    assert verdict.notional == Decimal("206.00")
    assert verdict.reference_price == 100


@pytest.mark.parametrize("quantity", ["0", "-1", "NaN", "Infinity", "0.0000000001", "1e30", "1e999999"])
def test_a_quantity_that_is_none_is_refused(quantity: str) -> None:
    assert rule(request(quantity)) == "well_formed"


@pytest.mark.parametrize("price", ["NaN", "0", "-5", "Infinity", "1e30"])
def test_a_price_that_is_none_is_refused(price: str) -> None:
    assert rule(request(limit=price)) == "well_formed"


def test_sub_dollar_prices_have_four_decimals() -> None:
    cheap = PriceView(bid=0.5, ask=0.5, last=0.5, age=0.0)
    assert rule(request(limit="0.5001"), price=cheap) == ""
    assert rule(request(limit="0.50001"), price=cheap) == "tick_size"
    assert rule(request(limit="100.001")) == "tick_size"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": None}, "fresh_quote"),
        ({"price": PriceView(bid=99, ask=100, last=100, age=5.0)}, ""),
        ({"price": PriceView(bid=99, ask=100, last=100, age=5.01)}, "fresh_quote"),
        ({"price": PriceView(bid=99, ask=100, last=100, age=float("nan"))}, "fresh_quote"),
        ({"price": PriceView(bid=99, ask=100, last=100, age=-1.0)}, ""),
        ({"price": PriceView(bid=99, ask=100, last=100, age=-3600.0)}, "fresh_quote"),
        ({"price": PriceView(bid=0, ask=0, last=0, age=0)}, "fresh_quote"),
        ({"price": PriceView(bid=float("nan"), ask=float("nan"), last=float("nan"), age=0)}, "fresh_quote"),
        ({"account": None}, "account_usable"),
        ({"account": msgspec.structs.replace(ACCOUNT, trading_blocked=True)}, "account_usable"),
        ({"market_open": None}, "market_open"),
        ({"market_open": False}, "market_open"),
        ({"ready": False}, "reconciled"),
        ({"trading_state": TradingState.HALTED}, "trading_state"),
        ({"trading_state": TradingState.REDUCING}, "trading_state"),
        ({"paused_until": 501.0}, "repeated_execution"),
        ({"paused_until": 500.0}, ""),
        ({"account": msgspec.structs.replace(ACCOUNT, buying_power=Decimal("102.99"))}, "buying_power"),
        ({"account": msgspec.structs.replace(ACCOUNT, buying_power=Decimal("103"))}, ""),
        ({"gross_exposure": Decimal(99_897)}, ""),
        ({"gross_exposure": Decimal(99_898)}, "gross_exposure"),
        ({"net_position": Decimal(96)}, ""),
        ({"net_position": Decimal(97)}, "position_size"),
    ],
)
def test_what_the_market_and_the_account_say_counts(changes: dict[str, Any], expected: str) -> None:
    assert rule(request(), **changes) == expected


def test_orders_are_limited_in_quantity_and_value() -> None:
    cheap = PriceView(bid=1, ask=1, last=1, age=0)
    assert rule(request("500"), price=cheap) == ""
    assert rule(request("501"), price=cheap) == "order_quantity"
    assert rule(request("50", limit="100")) == ""
    assert rule(request("50", limit="100.01")) == "order_notional"
    assert rule(request("48")) == ""
    assert rule(request("49")) == "order_notional", "49 at 103, the ask and 3 %, is more than 5 % of equity"


def test_a_price_far_through_the_market_is_a_typing_mistake() -> None:
    assert rule(request(limit="103.00")) == ""
    assert rule(request(limit="103.01")) == "price_collar"
    short = {"net_position": Decimal(0)}
    assert rule(request(side=Side.SELL, limit="96.03"), **short) == ""
    assert rule(request(side=Side.SELL, limit="96.02"), **short) == "price_collar"


def test_the_same_order_within_ten_seconds_is_a_double_click() -> None:
    twin = order(created_at=NOW - 10 * NANOSECONDS, type=OrderType.MARKET, limit_price=None)
    assert rule(request(), recent_orders=(twin,)) == "duplicate"
    assert rule(request("2"), recent_orders=(twin,)) == ""
    assert rule(request(sleeve="other"), recent_orders=(twin,)) == ""
    older = msgspec.structs.replace(twin, created_at=NOW - 10 * NANOSECONDS - 1)
    assert rule(request(), recent_orders=(older,)) == ""


def test_orders_are_limited_by_the_second_and_in_number() -> None:
    one = order(symbol="AAPL")
    assert rule(request(), recent_orders=(one,)) == ""
    assert rule(request(), recent_orders=(one, one)) == "order_rate"
    waiting = tuple(order(symbol=f"S{number}") for number in range(50))
    assert rule(request(), open_orders=waiting[:49]) == ""
    assert rule(request(), open_orders=waiting) == "open_orders"
    same = tuple(order() for _ in range(10))
    assert rule(request(), open_orders=same[:9]) == ""
    assert rule(request(), open_orders=same) == "open_orders"


def test_an_order_that_could_meet_our_own_is_refused() -> None:
    resting = order(side=Side.SELL, limit_price=Decimal(101))
    assert rule(request(limit="101"), open_orders=(resting,)) == "self_cross"
    assert rule(request(limit="100.99"), open_orders=(resting,)) == ""
    assert rule(request(), open_orders=(resting,)) == "self_cross"


def test_selling_short_needs_an_account_that_may() -> None:
    long_only = msgspec.structs.replace(ACCOUNT, shorting_enabled=False)
    assert rule(request(side=Side.SELL), account=long_only) == "short_sale"
    held = {"net_position": Decimal(5), "sleeve_position": Decimal(5)}
    assert rule(request("5", Side.SELL), account=long_only, **held) == ""
    assert rule(request("6", Side.SELL), account=long_only, **held) == "short_sale"


HELD = {"net_position": Decimal(5), "sleeve_position": Decimal(5)}


@pytest.mark.parametrize(
    "changes",
    [
        {"trading_state": TradingState.REDUCING},
        {"price": None},
        {"ready": False},
        {"gross_exposure": Decimal(10**9)},
        {"paused_until": 600.0},
        {"account": msgspec.structs.replace(ACCOUNT, buying_power=Decimal(0))},
        {"recent_orders": tuple(order(side=Side.SELL) for _ in range(70))},
    ],
)
def test_a_reduction_always_gets_through(changes: dict[str, Any]) -> None:
    assert rule(request("5", Side.SELL), **HELD, **changes) == ""


def test_a_reduction_is_one_only_with_what_is_already_working() -> None:
    working = order(side=Side.SELL, quantity=Decimal(3), limit_price=Decimal(120))
    reducing = {"trading_state": TradingState.REDUCING, **HELD, "open_orders": (working,)}
    assert rule(request("2", Side.SELL), **reducing) == ""
    assert rule(request("3", Side.SELL), **reducing) == "trading_state"


def test_halted_lets_nothing_pass_but_the_emergency_stop() -> None:
    halted = {"trading_state": TradingState.HALTED, **HELD}
    assert rule(request("5", Side.SELL), **halted) == "trading_state"
    assert rule(request("5", Side.SELL), emergency=True, **halted) == ""


def test_coins_cannot_be_sold_short_whatever_the_account_may() -> None:
    coins = msgspec.structs.replace(request(side=Side.SELL), symbol="BTC/USD", time_in_force=TimeInForce.GTC)
    assert rule(coins) == "short_sale"
    assert rule(coins, net_position=Decimal(1)) == ""


def test_the_emergency_stop_is_held_up_by_no_limit() -> None:
    asked = request("5000", Side.SELL)
    worst = {"price": None, "ready": False, "recent_orders": tuple(order() for _ in range(600))}
    assert rule(asked, **worst) != ""
    assert rule(asked, emergency=True, trading_state=TradingState.HALTED, **worst) == ""


def test_a_sleeve_closes_only_what_is_still_at_the_venue() -> None:
    closing = msgspec.structs.replace(request("5", Side.SELL), reduces=True)
    elsewhere = {"net_position": Decimal(2), "sleeve_position": Decimal(5), "external_position": Decimal(-3)}
    assert rule(closing, **elsewhere) == "still_held"
    assert rule(msgspec.structs.replace(closing, quantity=Decimal(2)), **elsewhere) == ""
    own = {"net_position": Decimal(8), "sleeve_position": Decimal(5), "external_position": Decimal(3)}
    assert rule(closing, **own) == ""


def test_an_order_with_a_stop_is_worth_its_stop_and_three_percent() -> None:
    stop = msgspec.structs.replace(request("2"), type=OrderType.STOP, stop_price=Decimal(110))
    assert check(stop, context()).notional == Decimal("226.60")
    limited = msgspec.structs.replace(stop, type=OrderType.STOP_LIMIT, limit_price=Decimal(111))
    assert check(limited, context()).notional == Decimal(222)
    trailing = msgspec.structs.replace(
        stop, type=OrderType.TRAILING_STOP, stop_price=None, trail_percent=Decimal(5)
    )  # fmt: skip
    assert check(trailing, context()).notional == Decimal("216.30")
    below = msgspec.structs.replace(stop, stop_price=Decimal(100))
    assert rule(below) == "stop_side"


def test_working_stops_count_as_what_they_may_become() -> None:
    stop = order(type=OrderType.STOP, limit_price=None, stop_price=Decimal(110), quantity=Decimal(90))
    assert rule(request("7", limit="100"), open_orders=(stop,)) == ""
    assert rule(request("11", limit="100"), open_orders=(stop,)) == "position_size"


def test_a_bracket_makes_sense_on_both_sides() -> None:
    bracket = msgspec.structs.replace(request(limit="100"), take_profit=Decimal(105), stop_loss=Decimal(95))
    assert rule(bracket) == ""
    assert rule(msgspec.structs.replace(bracket, take_profit=Decimal(100))) == "exits"
    assert rule(msgspec.structs.replace(bracket, stop_loss=Decimal(100))) == "exits"
    assert rule(msgspec.structs.replace(bracket, stop_loss=Decimal("99.999"))) == "tick_size"


def test_slices_of_one_order_never_trade_more_than_it() -> None:
    piece = msgspec.structs.replace(request("4"), parent_id="twap-1", parent_quantity=Decimal(10))
    assert rule(piece, sliced=Decimal(6)) == ""
    assert rule(piece, sliced=Decimal(7)) == "slices"
    assert rule(msgspec.structs.replace(piece, parent_quantity=None)) == "slices"


def test_outside_regular_hours_limit_orders_pass_with_a_wider_collar() -> None:
    early = {"market_open": False, "extended_open": True}
    asked = msgspec.structs.replace(request(limit="105"), extended_hours=True)
    assert rule(asked, **early) == ""
    assert rule(msgspec.structs.replace(asked, limit_price=Decimal("105.01")), **early) == "price_collar"
    assert rule(request(limit="100"), **early) == "market_open"
    assert rule(asked, market_open=False, extended_open=None) == "market_open"
    assert rule(msgspec.structs.replace(request(), extended_hours=True), **early) == "order_terms"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"asset": None}, "asset_known"),
        ({"asset": msgspec.structs.replace(ASSET, tradable=False)}, "asset_tradable"),
        ({"rate_used": 0.8}, ""),
        ({"rate_used": 0.81}, "broker_rate"),
        ({"mismatch": "The key is a paper key."}, "live_account"),
        ({"limits": Limits(restricted=frozenset({"SPY"}))}, "restricted"),
        ({"limits": Limits(allowed=frozenset({"AAPL"}))}, ""),
        ({"limits": Limits(allowed=frozenset({"AAPL"})), "live": True}, "allowed"),
        ({"account": msgspec.structs.replace(ACCOUNT, status="SUBMITTED")}, "account_active"),
        ({"account": msgspec.structs.replace(ACCOUNT, suspended_by_user=True)}, "account_usable"),
        ({"account": msgspec.structs.replace(ACCOUNT, pattern_day_trader=True)}, ""),
    ],
)
def test_asset_lists_address_and_flags_count(changes: dict[str, Any], expected: str) -> None:
    assert rule(request(), **changes) == expected


def test_a_signal_that_has_expired_places_nothing() -> None:
    assert rule(msgspec.structs.replace(request(), expires_at=NOW)) == ""
    assert rule(msgspec.structs.replace(request(), expires_at=NOW - 1)) == "expired"


def test_shares_that_cannot_be_borrowed_are_not_sold_short() -> None:
    sale = request(side=Side.SELL)
    assert rule(sale, asset=msgspec.structs.replace(ASSET, easy_to_borrow=False)) == "short_sale"
    assert rule(sale, asset=msgspec.structs.replace(ASSET, shortable=False)) == "short_sale"
    assert rule(sale, limits=Limits(short_sales=False)) == "short_sale"
    hard = Limits(hard_to_borrow=True)
    assert rule(sale, asset=msgspec.structs.replace(ASSET, easy_to_borrow=False), limits=hard) == ""


def test_the_verdict_tells_every_number_it_saw() -> None:
    seen = check(request("2"), context(net_position=Decimal(3), gross_exposure=Decimal(300))).values
    expected = {
        "order price": 103, "notional": 206, "reference price": 100, "quote age": 1, "gross exposure": 300,
        "gross exposure after": 506, "position after": 5, "net position": 3, "gross exposure limit": 100_000,
        "notional limit": 5_000, "position limit": 10_000,
    }  # fmt: skip
    assert {name: Decimal(seen[name]) for name in expected} == expected
