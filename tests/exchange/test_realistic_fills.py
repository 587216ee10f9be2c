"""The realistic fill model: delay, queue, depth and impact, each seen in what an order gets."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from alpaca.trading import enums
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import MarketOrderRequest

from engine.domain.market import Quote, Trade
from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.fills import RealisticFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder, Update, UpdateKind
from engine.exchange.server import ExchangeOptions, ExchangeServer


def engine(**fields: object) -> MatchingEngine:
    return MatchingEngine(RealisticFill(**{"latency": 0, "participation": Decimal(1), "coefficient": 0.0, **fields}))  # type: ignore[arg-type]


def order(quantity: int, limit: str = "", side: Side = Side.BUY, order_id: str = "a", **fields: object) -> NewOrder:
    return NewOrder(
        order_id=order_id,
        symbol="SPY",
        side=side,
        quantity=Decimal(quantity),
        type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=Decimal(limit) if limit else None,
        **fields,  # type: ignore[arg-type]
    )


def quote(bid: float, ask: float, size: float = 500, at: int = 1) -> Quote:
    return Quote("SPY", bid, size, ask, size, at)


def trade(price: float, size: float, at: int = 1) -> Trade:
    return Trade("SPY", price, size, at)


def got(updates: list[Update]) -> list[tuple[int, str]]:
    return [(int(update.quantity), str(update.price)) for update in updates if update.kind.is_fill]


def test_an_order_meets_the_market_as_it_stands_when_it_arrives() -> None:
    it = engine(latency=100)
    it.on_quote(quote(100.00, 100.02, at=1))
    assert [update.kind for update in it.submit(order(10), 10)] == [UpdateKind.NEW]
    assert it.on_quote(quote(100.04, 100.06, at=50)) == []
    (fill,) = it.on_quote(quote(100.08, 100.10, at=200))
    assert (fill.price, fill.timestamp) == (Decimal("100.06"), 110)


def test_an_order_arrives_though_nothing_is_printed_and_not_after_its_cancel() -> None:
    it = engine(latency=100)
    it.on_quote(quote(100.00, 100.02, at=1))
    it.submit(order(10), 10)
    it.submit(order(10, order_id="b"), 11)
    it.cancel("b", 50)
    assert it.advance(109) == []
    (fill,) = it.advance(500)
    assert (fill.order.order_id, fill.timestamp) == ("a", 110)
    assert len(it) == 0


def test_a_limit_order_waits_behind_what_stood_at_its_price() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02, 500))
    it.submit(order(300, "100.00"), 1)
    assert it.on_trade(trade(100.00, 400)) == []
    assert got(it.on_trade(trade(100.00, 200))) == [(100, "100.00")]
    assert got(it.on_trade(trade(100.00, 900))) == [(200, "100.00")]


def test_a_smaller_display_shortens_the_queue_and_a_larger_one_does_not_lengthen_it() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02, 500))
    it.submit(order(300, "100.00"), 1)
    it.on_quote(quote(100.00, 100.02, 100))
    it.on_quote(quote(100.00, 100.02, 900))
    assert got(it.on_trade(trade(100.00, 150))) == [(50, "100.00")]


def test_an_order_inside_the_spread_is_first_in_line() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.04))
    it.submit(order(300, "100.02"), 1)
    it.on_quote(quote(100.00, 100.04))
    assert got(it.on_trade(trade(100.02, 120))) == [(120, "100.02")]


def test_an_order_away_from_the_market_learns_its_queue_when_the_market_comes() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02))
    it.submit(order(300, "99.00"), 1)
    assert it.on_trade(trade(99.00, 5_000)) == [], "nothing is known of who stands there"
    it.on_quote(quote(99.00, 99.02, 700))
    assert got(it.on_trade(trade(99.00, 800))) == [(100, "99.00")]


def test_a_print_through_the_limit_has_emptied_the_queue() -> None:
    it = engine(participation=Decimal("0.25"))
    it.on_quote(quote(100.00, 100.02, 5_000))
    it.submit(order(300, "100.00"), 1)
    assert got(it.on_trade(trade(99.99, 400))) == [(100, "100.00")]


def test_the_first_in_line_takes_from_a_print_before_the_second() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02, 0))
    it.submit(order(80, "100.00", order_id="first"), 1)
    it.submit(order(80, "100.00", order_id="second"), 2)
    fills = it.on_trade(trade(100.00, 100))
    assert [(fill.order.order_id, int(fill.quantity)) for fill in fills] == [("first", 80), ("second", 20)]


def test_a_market_that_crosses_a_resting_order_pays_its_limit() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02))
    it.submit(order(300, "100.01"), 1)
    assert got(it.on_quote(quote(99.90, 99.92, 1_000))) == [(300, "100.01")]


def test_what_was_taken_at_a_price_stays_taken_until_the_price_moves() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02, 500))
    assert got(it.submit(order(400), 1)) == [(400, "100.02")]
    assert got(it.submit(order(400, order_id="b"), 2)) == [(100, "100.02")]
    assert got(it.on_quote(quote(100.00, 100.02, 500))) == []
    assert got(it.on_quote(quote(100.01, 100.03, 500))) == [(300, "100.03")]


def test_fill_or_kill_looks_at_what_is_left() -> None:
    it = engine()
    it.on_quote(quote(100.00, 100.02, 500))
    it.submit(order(400), 1)
    killed = it.submit(order(200, order_id="b", time_in_force=TimeInForce.FOK), 2)
    assert [update.kind for update in killed] == [UpdateKind.NEW, UpdateKind.CANCELED]


@pytest.mark.parametrize("side", list(Side))
def test_an_order_four_times_as_large_moves_the_price_twice_as_far(side: Side) -> None:
    """The square-root law, in a market whose middle moves a basis point from print to print."""
    paid = []
    for quantity in (2_500, 10_000):
        it = engine(coefficient=1.0)
        for number in range(200):
            mid = 1_000.0 * (1 + 0.0001 * (number % 2))
            it.on_quote(quote(mid - 0.01, mid + 0.01, 1_000_000, at=number))
            it.on_trade(trade(mid, 100, at=number))
        it.on_quote(quote(1_000.0, 1_000.0, 1_000_000, at=300))
        (fill,) = (u for u in it.submit(order(quantity, side=side), 301) if u.kind.is_fill)
        paid.append((fill.price - 1_000) * side.sign)
    small, large = paid
    # sigma^2 / V = 1e-8 / 100 a unit: 2,500 units move the price by 5 basis points.
    assert float(small) == pytest.approx(0.5, rel=0.02)
    assert float(large / small) == pytest.approx(2.0, rel=0.02)


def test_impact_never_takes_an_order_through_its_limit() -> None:
    it = engine(coefficient=100.0)
    for number in range(50):
        it.on_quote(quote(100 + number % 5, 100.02 + number % 5, 1_000, at=number))
        it.on_trade(trade(100 + number % 5, 100, at=number))
    it.on_quote(quote(100.00, 100.02, 100_000, at=60))
    assert got(it.submit(order(5_000, "100.05"), 61)) == [(5000, "100.05")]


async def test_the_exchange_serves_it_when_asked() -> None:
    """alpaca-py's market order is taken first and filled after the delay, at the offer or dearer."""
    options = ExchangeOptions(symbols=("SPY",), recent_minutes=1, fills="realistic", latency=0.05)
    async with ExchangeServer(options) as server:
        filled = asyncio.Event()
        server.floor.on_notices(lambda notices: filled.set() if notices[-1].update.kind.is_fill else None)
        client = TradingClient("key", "secret", url_override=server.url)
        client._session.trust_env = False
        request = MarketOrderRequest(symbol="SPY", qty=5, side=enums.OrderSide.BUY, time_in_force=enums.TimeInForce.DAY)
        taken = await asyncio.to_thread(client.submit_order, request)
        assert (taken.status, taken.filled_qty) == ("pending_new", "0")
        async with asyncio.timeout(10):
            await filled.wait()
        found = await asyncio.to_thread(client.get_order_by_id, taken.id)
        assert found.status == "filled"
        assert found.filled_at is not None and taken.submitted_at is not None
        assert (found.filled_at - taken.submitted_at).total_seconds() >= 0.05
        client._session.close()
