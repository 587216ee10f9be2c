"""What is kept up to date piece by piece equals what is summed anew, whatever happens to orders and positions."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.orders import Fill, Order, OrderStatus, OrderType, Side, TimeInForce
from engine.domain.portfolio import VenuePosition
from engine.execution.book import OrderBook
from engine.portfolio.positions import Positions
from engine.risk.recent import DAY, RecentOrders

SYMBOLS = st.sampled_from(["SPY", "AAPL"])
QUANTITIES = st.integers(1, 9).map(Decimal)


def order(number: int, symbol: str = "SPY", side: Side = Side.BUY, quantity: Decimal = Decimal(1)) -> Order:
    return Order(
        client_order_id=f"o{number}", symbol=symbol, side=side, quantity=quantity, type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY, sleeve="bot", created_at=number,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SYMBOLS, st.sampled_from(Side), QUANTITIES, st.sampled_from(OrderStatus)), max_size=12))
def test_open_orders_are_found_by_symbol_however_they_end(steps: list[tuple[str, Side, Decimal, OrderStatus]]) -> None:
    book = OrderBook("demo")
    orders = []
    for number, (symbol, side, quantity, status) in enumerate(steps):
        new = order(number, symbol, side, quantity)
        book.add(new)
        orders.append(new)
        changed = orders[int(quantity) % len(orders)]
        changed.status = status
        book.note(changed)
    expected = [one for one in orders if one.is_open]
    assert sorted(book.open, key=lambda one: one.created_at) == expected
    assert book.open_count == len(expected)
    assert book.open_in("SPY") == [one for one in book.open if one.symbol == "SPY"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(SYMBOLS, st.sampled_from(Side), QUANTITIES, st.sampled_from(["a", "b"])), max_size=12),
    QUANTITIES,
)
def test_the_net_is_the_sum_of_the_sleeves(steps: list[tuple[str, Side, Decimal, str]], at_venue: Decimal) -> None:
    positions = Positions()
    for number, (symbol, side, quantity, sleeve) in enumerate(steps):
        positions.apply(
            Fill(
                execution_id=f"e{number}", client_order_id="o", venue_order_id="v", symbol=symbol, side=side,
                quantity=quantity, price=Decimal(10), timestamp=number, sleeve=sleeve,
            )
        )  # fmt: skip
    positions.agree_with(
        [
            VenuePosition(
                symbol="SPY", quantity=at_venue, average_entry_price=Decimal(9), market_value=Decimal(0),
                current_price=Decimal(9), unrealised=Decimal(0),
            )
        ]
    )  # fmt: skip
    for symbol in ("SPY", "AAPL"):
        assert positions.net(symbol) == sum(held.quantity for held in positions if held.symbol == symbol)
    assert positions.net("SPY") == at_venue
    assert positions.net("AAPL") == 0


def test_what_slices_may_trade_counts_what_works_and_what_was_traded() -> None:
    book = OrderBook("demo")
    working, ended = order(1, quantity=Decimal(5)), order(2, quantity=Decimal(5))
    working.parent_id = ended.parent_id = "twap"
    ended.filled_quantity, ended.status = Decimal(2), OrderStatus.CANCELED
    for one in (working, ended, order(3)):
        book.add(one)
    assert book.sliced("twap") == 7
    assert book.sliced("other") == 0


def test_orders_are_counted_for_a_day_and_no_longer() -> None:
    recent = RecentOrders(order(at) for at in (0, 5, DAY))
    assert recent.count(DAY - 1) == 1
    assert recent.count(4) == 2
    assert recent.reached(2, 4)
    assert not recent.reached(3, -1), "the first is more than a day older than the last"
    assert recent.reached(2, 4, "bot")
    assert not recent.reached(1, 4, "other")
