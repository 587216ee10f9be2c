"""The matching engine against quotes, trades and bars."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine.domain.errors import OrderError
from engine.domain.market import Bar, Quote, Timeframe, Trade
from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.fills import AlpacaFill, BacktestFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder, Update, UpdateKind
from engine.exchange.phases import Phase

WHOLE = AlpacaFill(partial_probability=0.0)


def order(order_id: str = "a", side: Side = Side.BUY, quantity: str = "10", **fields: object) -> NewOrder:
    for name in ("limit_price", "stop_price", "trail_price", "trail_percent"):
        if name in fields:
            fields[name] = Decimal(str(fields[name]))
    if "limit_price" in fields and "type" not in fields:
        fields["type"] = OrderType.LIMIT
    return NewOrder(order_id=order_id, symbol="SPY", side=side, quantity=Decimal(quantity), **fields)  # type: ignore[arg-type]


def quote(bid: float, ask: float, size: float = 100, at: int = 1) -> Quote:
    return Quote("SPY", bid, size, ask, size, at)


def trade(price: float, at: int = 1) -> Trade:
    return Trade("SPY", price, 100, at)


def bar(open_: float, high: float, low: float, close: float, volume: float = 1000, at: int = 5) -> Bar:
    return Bar("SPY", Timeframe.MINUTE_1, at, open_, high, low, close, volume)


def kinds(updates: list[Update]) -> list[str]:
    return [update.kind.value for update in updates]


def test_a_market_order_fills_at_the_offer() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 100.01))
    new, fill = engine.submit(order(), 7)
    assert (new.kind, fill.kind) == (UpdateKind.NEW, UpdateKind.FILL)
    assert (fill.price, fill.quantity, fill.timestamp) == (Decimal("100.01"), Decimal(10), 7)
    assert len(engine) == 0


def test_a_market_order_without_a_market_waits_for_the_first_quote() -> None:
    engine = MatchingEngine(WHOLE)
    assert kinds(engine.submit(order(side=Side.SELL), 1)) == ["new"]
    (fill,) = engine.on_quote(quote(99.99, 100.01, at=9))
    assert (fill.price, fill.timestamp) == (Decimal("99.99"), 9)


def test_a_one_sided_quote_fills_only_the_side_it_has() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 0))
    assert kinds(engine.submit(order("buy"), 1)) == ["new"]
    assert kinds(engine.submit(order("sell", Side.SELL), 1)) == ["new", "fill"]


def test_a_limit_order_rests_until_the_market_comes() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 100.01))
    assert kinds(engine.submit(order(limit_price="99.95"), 1)) == ["new"]
    assert engine.on_quote(quote(99.95, 99.96)) == []
    (fill,) = engine.on_quote(quote(99.90, 99.94))
    assert fill.price == Decimal("99.94")


def test_better_prices_fill_first_and_then_older_orders() -> None:
    engine = MatchingEngine(WHOLE)
    engine.submit(order("low", limit_price="99"), 1)
    engine.submit(order("first", limit_price="100"), 2)
    engine.submit(order("second", limit_price="100"), 3)
    engine.submit(order("market"), 4)
    filled = engine.on_quote(quote(98, 98.5))
    assert [update.order.order_id for update in filled] == ["market", "first", "second", "low"]


def test_a_model_that_looks_at_size_gives_it_to_the_first_in_line() -> None:
    engine = MatchingEngine(BacktestFill(participation=Decimal(1)))
    engine.submit(order("first", quantity="60", limit_price="100"), 1)
    engine.submit(order("second", quantity="60", limit_price="100"), 2)
    fills = engine.on_quote(quote(99, 100, size=100))
    assert [(update.order.order_id, update.quantity) for update in fills] == [
        ("first", Decimal(60)),
        ("second", Decimal(40)),
    ]
    assert kinds(fills) == ["fill", "partial_fill"]


def test_some_fills_are_partial_and_the_rest_follows() -> None:
    engine = MatchingEngine(AlpacaFill(partial_probability=1.0), seed=3)
    engine.on_quote(quote(99.99, 100.01))
    updates = engine.submit(order(quantity="100"), 1)
    assert kinds(updates) == ["new", "partial_fill"]
    while len(engine):
        updates += engine.on_quote(quote(99.99, 100.01))
    assert updates[-1].filled_quantity == 100
    assert sum(update.quantity for update in updates) == 100


def test_ioc_keeps_what_it_got_and_fok_takes_all_or_nothing() -> None:
    engine = MatchingEngine(BacktestFill(participation=Decimal(1)))
    engine.on_quote(quote(99, 100, size=40))
    ioc = engine.submit(order("ioc", quantity="60", time_in_force=TimeInForce.IOC), 1)
    fok = engine.submit(order("fok", quantity="60", time_in_force=TimeInForce.FOK), 1)
    assert kinds(ioc) == ["new", "partial_fill", "canceled"]
    assert ioc[-1].filled_quantity == 40
    assert kinds(fok) == ["new", "canceled"]
    assert len(engine) == 0


def test_cancel_takes_the_order_out_and_a_second_cancel_is_an_error() -> None:
    engine = MatchingEngine(WHOLE)
    engine.submit(order(limit_price="90"), 1)
    assert kinds(engine.cancel("a", 2)) == ["canceled"]
    with pytest.raises(OrderError, match="not in the book"):
        engine.cancel("a", 3)
    assert engine.on_quote(quote(80, 81)) == []


def test_replace_ends_the_old_order_and_enters_the_new_one() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 100.01))
    engine.submit(order("old", limit_price="90"), 1)
    updates = engine.replace("old", order("new", limit_price="100.01"), 2)
    assert kinds(updates) == ["replaced", "new", "fill"]
    assert updates[0].replaced_by == "new"
    with pytest.raises(OrderError, match="quantity"):
        engine.submit(order("x", limit_price="90"), 3)
        engine.replace("x", order("y", quantity="0", limit_price="90"), 4)
    assert engine.get("x") is not None


@pytest.mark.parametrize(
    "bad",
    [
        order(quantity="0"),
        order(quantity="NaN"),
        order(type=OrderType.LIMIT),
        order(type=OrderType.STOP),
        order(type=OrderType.TRAILING_STOP),
        order(limit_price="-1"),
        order(type=OrderType.STOP, stop_price="99", time_in_force=TimeInForce.OPG),
    ],
)
def test_an_order_that_cannot_rest_is_rejected_with_a_reason(bad: NewOrder) -> None:
    engine = MatchingEngine(WHOLE)
    (update,) = engine.submit(bad, 1)
    assert update.kind is UpdateKind.REJECTED
    assert update.reason
    assert len(engine) == 0


def test_orders_wait_for_the_session_and_day_orders_expire_with_it() -> None:
    engine = MatchingEngine(WHOLE, phase=Phase.CLOSED)
    engine.on_quote(quote(99.99, 100.01))
    assert kinds(engine.submit(order("day", limit_price="90"), 1)) == ["accepted"]
    assert kinds(engine.submit(order("market"), 1)) == ["accepted"]
    assert kinds(engine.submit(order("gtc", limit_price="90", time_in_force=TimeInForce.GTC), 1)) == ["accepted"]
    assert kinds(engine.submit(order("ioc", time_in_force=TimeInForce.IOC), 1)) == ["accepted", "canceled"]
    assert engine.on_quote(quote(99.99, 100.01)) == []
    assert kinds(engine.turn(Phase.REGULAR, 2)) == ["new", "new", "new"]
    assert [update.order.order_id for update in engine.on_quote(quote(99.99, 100.01))] == ["market"]
    assert [update.order.order_id for update in engine.turn(Phase.EXTENDED, 3)] == ["day"]
    assert engine.get("gtc") is not None


def test_extended_hours_orders_trade_outside_the_session() -> None:
    engine = MatchingEngine(WHOLE, phase=Phase.EXTENDED)
    engine.on_quote(quote(99.99, 100.01))
    assert kinds(engine.submit(order(limit_price="101", extended_hours=True), 1)) == ["new", "fill"]


def test_a_stop_sleeps_until_a_print_reaches_it() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 100.01))
    engine.submit(order(side=Side.SELL, type=OrderType.STOP, stop_price="99"), 1)
    assert engine.on_trade(trade(99.5)) == []
    engine.on_quote(quote(98.90, 98.95))
    (fill,) = engine.on_trade(trade(98.95))
    assert fill.price == Decimal("98.9")


def test_a_stop_limit_rests_at_its_limit_once_set_off() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(99.99, 100.01))
    stop = order(type=OrderType.STOP_LIMIT, stop_price="101", limit_price="101.05")
    engine.submit(stop, 1)
    engine.on_quote(quote(101.10, 101.12))
    assert engine.on_trade(trade(101.10)) == []
    (fill,) = engine.on_quote(quote(101.00, 101.04))
    assert fill.price == Decimal("101.04")


def test_a_trailing_stop_follows_the_price_and_never_steps_back() -> None:
    engine = MatchingEngine(WHOLE)
    engine.on_quote(quote(100, 100.02))
    engine.on_trade(trade(100))
    engine.submit(order(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_percent="1"), 1)
    for price in (102.0, 101.5, 103.0, 102.5):
        assert engine.on_trade(trade(price)) == []
    working = engine.get("a")
    assert working is not None
    assert (working.high_water_mark, working.stop) == (Decimal("103.0"), Decimal("101.97"))
    assert kinds(engine.on_trade(trade(101.9))) == ["fill"]


def test_without_quotes_the_last_print_is_the_market() -> None:
    engine = MatchingEngine(WHOLE)
    engine.submit(order(limit_price="100"), 1)
    assert engine.on_trade(trade(100.5)) == []
    (fill,) = engine.on_trade(trade(99.75))
    assert fill.price == Decimal("99.75")


def test_in_a_bar_market_orders_fill_at_the_open_with_slippage_and_commission() -> None:
    model = BacktestFill(slippage_bps=Decimal(10), commission_per_share=Decimal("0.005"), commission_percent=Decimal(1))
    engine = MatchingEngine(model)
    engine.submit(order(), 1)
    (fill,) = engine.on_bar(bar(100, 101, 99, 100.5))
    assert fill.price == Decimal("100.1000")
    assert fill.fee == Decimal("0.05") + Decimal("10.01")
    assert fill.timestamp == 5


@pytest.mark.parametrize(
    ("side", "limit", "opening", "high", "low", "price"),
    [
        (Side.BUY, "99", 100, 101, 98, "99"),
        (Side.BUY, "99", 98.5, 101, 98, "98.5"),
        (Side.BUY, "99", 100, 101, 99, None),
        (Side.SELL, "101", 100, 102, 98, "101"),
        (Side.SELL, "101", 101.5, 102, 98, "101.5"),
        (Side.SELL, "101", 100, 101, 98, None),
    ],
)
def test_in_a_bar_limit_orders_fill_at_the_limit_or_the_better_open(
    side: Side, limit: str, opening: float, high: float, low: float, price: str | None
) -> None:
    engine = MatchingEngine(BacktestFill())
    engine.submit(order(side=side, limit_price=limit), 1)
    fills = engine.on_bar(bar(opening, high, low, 100))
    assert [fill.price for fill in fills] == ([] if price is None else [Decimal(price)])


def test_in_a_bar_a_stop_fills_at_the_stop_or_at_a_worse_open() -> None:
    engine = MatchingEngine(BacktestFill())
    engine.submit(order("within", Side.SELL, type=OrderType.STOP, stop_price="99"), 1)
    (fill,) = engine.on_bar(bar(100, 101, 98, 100))
    assert fill.price == Decimal(99)
    engine.submit(order("gap", Side.SELL, type=OrderType.STOP, stop_price="99"), 1)
    (fill,) = engine.on_bar(bar(97, 98, 96, 97))
    assert fill.price == Decimal(97)


def test_a_share_of_the_bars_volume_is_the_most_that_one_side_gets() -> None:
    engine = MatchingEngine(BacktestFill(participation=Decimal("0.1")))
    engine.submit(order(quantity="150", time_in_force=TimeInForce.GTC), 1)
    assert [update.quantity for update in engine.on_bar(bar(100, 101, 99, 100, volume=1000))] == [100]
    assert engine.on_bar(bar(100, 101, 99, 100, volume=0)) == []
    (last,) = engine.on_bar(bar(100, 101, 99, 100, volume=905))
    assert (last.kind, last.quantity) == (UpdateKind.FILL, Decimal(50))


def test_slippage_never_goes_through_a_limit() -> None:
    engine = MatchingEngine(BacktestFill(slippage_bps=Decimal(100)))
    engine.submit(order(limit_price="100"), 1)
    (fill,) = engine.on_bar(bar(99.99, 101, 99, 100))
    assert fill.price == Decimal(100)
