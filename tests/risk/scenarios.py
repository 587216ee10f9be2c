"""Random pictures and orders whose numbers lie at and around every limit."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from engine.broker.base import Asset
from engine.domain.events import TradingState
from engine.domain.market import NANOSECONDS
from engine.domain.orders import Order, OrderRequest, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account
from engine.risk.context import Context, PriceView
from engine.risk.limits import Limits
from engine.risk.recent import RecentOrders
from engine.risk.rules.form import well_formed

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]

NOW = 1_000_000 * NANOSECONDS
LIMITS = Limits(
    max_open_orders=8, max_open_orders_per_symbol=3, orders_per_second=2, orders_per_minute=4, orders_per_day=7,
    orders_per_day_and_sleeve=5, restricted=frozenset({"BAD"}), allowed=frozenset({"SPY", "BTC/USD"}),
)  # fmt: skip
AGES = (20, 11, 10, 5, 1, 0.5, 70, 59, 61, 86_399, 86_401)


def decimals(*numbers: str) -> list[Decimal]:
    return [Decimal(number) for number in numbers]


class Scenario(msgspec.Struct):
    request: OrderRequest
    context: Context
    placed: list[Order]


def scenario(choose: Choose) -> Scenario:
    """`choose` picks one of several; most are harmless, so that no single rule hides the others."""
    symbol = choose(["SPY"] * 5 + ["BTC/USD", "BAD", "QQQ"])
    coin = "/" in symbol
    request = _request(choose, symbol, coin)
    placed = [_order(choose, symbol) for _ in range(choose([0, 0, 1, 2, 5, 7]))]
    placed += [_twin(choose, request) for _ in range(choose([0, 0, 1, 1]))]
    placed.sort(key=lambda order: order.created_at)
    working = [_order(choose, symbol) for _ in range(choose([0, 0, 0, 1, 2, 3]))]
    context = Context(
        limits=msgspec.structs.replace(LIMITS, short_sales=choose([True, True, False]), hard_to_borrow=choose([False, True])),
        trading_state=choose([TradingState.ACTIVE] * 4 + [TradingState.REDUCING, TradingState.HALTED]),
        ready=choose([True] * 6 + [False]),
        account=_account(choose),
        market_open=choose([True] * 6 + [False, False, None]),
        extended_open=choose([True, False, None]),
        asset=_asset(choose, symbol, coin),
        price=_price(choose),
        net_position=choose(decimals("0", "0", "0", "5", "20", "-5", "97", "96", "0.5")),
        sleeve_position=choose(decimals("0", "0", "5", "20", "-5", "0.5")),
        external_position=choose(decimals("0", "0", "0", "-3", "3", "15")),
        gross_exposure=choose(decimals("0", "0", "50000", "99000", "99897", "99898", "99900")),
        working=working,
        open_count=len(working) + choose([0, 0, 1, 4, 7, 8]),
        recent=RecentOrders(placed),
        sliced=choose(decimals("0", "5", "9", "10")),
        paused_until=choose([0.0] * 4 + [500.0, 501.0]),
        rate_used=choose([0.0] * 4 + [0.8, 0.81, 1.0, float("nan")]),
        now=NOW,
        monotonic=500.0,
        live=choose([False, False, True]),
        mismatch=choose([""] * 6 + ["The key is one of the other account."]),
        emergency=choose([False] * 9 + [True]),
    )  # fmt: skip
    return Scenario(request, context, placed)


def _request(choose: Choose, symbol: str, coin: bool) -> OrderRequest:
    kind = choose([OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, *OrderType])
    limited, stopped = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}, kind in {OrderType.STOP, OrderType.STOP_LIMIT}
    trail = choose([("1", None), (None, "1.5"), ("0.505", None)]) if kind is OrderType.TRAILING_STOP else (None, None)
    life = choose([TimeInForce.GTC] * 3 + [TimeInForce.DAY] if coin else [TimeInForce.DAY] * 5 + list(TimeInForce))
    limits = decimals("100", "100", "99", "95", "103", "103.01", "105", "105.01", "96.03", "96.02", "94.05", "94.04",
                      "100.001", "0.5", "0.50001")  # fmt: skip
    return OrderRequest(
        symbol=symbol,
        side=choose(list(Side)),
        quantity=choose(decimals("1", "1", "5", "6", "20", "48", "49", "50", "0.5", "0.00001", "500", "501", "2.5")),
        type=kind,
        limit_price=choose(limits) if limited else None,
        stop_price=choose(decimals("101", "105", "100", "98", "95", "99", "98.001")) if stopped else None,
        trail_price=None if trail[0] is None else Decimal(trail[0]),
        trail_percent=None if trail[1] is None else Decimal(trail[1]),
        time_in_force=life,
        extended_hours=choose([False, False, True]),
        take_profit=choose([None] * 6 + decimals("110", "90", "100")),
        stop_loss=choose([None] * 6 + decimals("90", "110", "99.99", "100.01")),
        sleeve=choose(["bot", "manual"]),
        reduces=choose([False, True]),
        parent_id=choose(["", "", "", "parent"]),
        parent_quantity=choose([None, *decimals("10", "100")]),
        expires_at=choose([0, 0, NOW, NOW - 1, NOW + 1]),
    )


def _order(choose: Choose, symbol: str) -> Order:
    kind = choose([OrderType.LIMIT, OrderType.LIMIT, OrderType.MARKET, OrderType.STOP])
    return Order(
        client_order_id="demo-1",
        symbol=symbol,
        side=choose(list(Side)),
        quantity=choose(decimals("1", "5", "20", "48")),
        filled_quantity=choose(decimals("0", "0", "0.5")),
        type=kind,
        time_in_force=TimeInForce.DAY,
        sleeve=choose(["bot", "manual"]),
        created_at=NOW - round(choose(AGES) * NANOSECONDS),
        limit_price=choose(decimals("100", "98", "102", "120")) if kind is OrderType.LIMIT else None,
        stop_price=choose(decimals("101", "97", "130")) if kind is OrderType.STOP else None,
    )


def _twin(choose: Choose, request: OrderRequest) -> Order:
    return msgspec.structs.replace(
        _order(choose, request.symbol),
        side=request.side,
        quantity=request.quantity,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        sleeve=request.sleeve,
        created_at=NOW - round(choose([10, 10.01, 5, 0.5]) * NANOSECONDS),
    )


def _account(choose: Choose) -> Account | None:
    equity = choose(decimals("100000", "100000", "100000", "24999", "25000", "0", "-1"))
    account = Account(
        account_number="1",
        status=choose(["ACTIVE"] * 8 + ["ACCOUNT_UPDATED"]),
        equity=equity,
        last_equity=equity,
        cash=equity,
        buying_power=choose(decimals("200000", "200000", "103", "102.99", "0")),
        non_marginable_buying_power=choose([None, None, *decimals("100000", "0.5")]),
        shorting_enabled=choose([True, True, False]),
        trading_blocked=choose([False] * 9 + [True]),
        account_blocked=choose([False] * 9 + [True]),
        suspended_by_user=choose([False] * 9 + [True]),
        pattern_day_trader=choose([None, None, False, True]),
        day_trades=choose([None, None, 2, 3]),
    )
    return choose([account] * 9 + [None])


def _asset(choose: Choose, symbol: str, coin: bool) -> Asset | None:
    asset = Asset(
        symbol=symbol,
        name=symbol,
        asset_class="crypto" if coin else "us_equity",
        tradable=choose([True] * 8 + [False]),
        fractionable=choose([True, False]),
        shortable=choose([True, True, False]) and not coin,
        easy_to_borrow=choose([True, True, False]),
        min_order_size=Decimal("0.0001") if coin else None,
        min_trade_increment=choose(decimals("0.000000001", "0.01")) if coin else None,
        price_increment=Decimal("0.01") if coin else choose([None, None, Decimal("0.05")]),
    )
    return choose([asset] * 8 + [None])


def _price(choose: Choose) -> PriceView | None:
    age = choose([0.0, 0.0, 1.0, 5.0, 5.01, -1.0, -1.01, float("nan")])
    bid, ask = choose([99.0, 99.0, 99.0, 0.0]), choose([100.0, 100.0, 100.0, 0.0])
    last = choose([100.0, 99.5, 0.0, float("nan"), float("inf")])
    return choose([PriceView(bid=bid, ask=ask, last=last, age=age)] * 8 + [None])


def mostly_harmless(source: random.Random) -> Choose:
    """Chooses by chance; in a calm scenario mostly the first, which every rule lets pass."""
    calm = source.choice([0.3, 0.8, 0.9, 0.97])
    return lambda options: options[0] if source.random() < calm else source.choice(options)


def is_well_formed(request: OrderRequest) -> bool:
    return well_formed(request) is None
