"""News in any order, any number of times, ends in the same place."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.broker.base import VenueFill, VenueOrder
from engine.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from engine.execution.book import OrderBook

ID, VENUE_ID = "demo-test-1", "v1"


def ours() -> Order:
    return Order(
        client_order_id=ID, symbol="SPY", side=Side.BUY, quantity=Decimal(10), type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY, sleeve="test", created_at=1, status=OrderStatus.SENT,
    )  # fmt: skip


def said(status: OrderStatus, filled: int) -> VenueOrder:
    return VenueOrder(
        client_order_id=ID, venue_order_id=VENUE_ID, symbol="SPY", side=Side.BUY, quantity=Decimal(10),
        type=OrderType.MARKET, time_in_force=TimeInForce.DAY, status=status, filled_quantity=Decimal(filled),
        average_fill_price=Decimal(100) if filled else None,
    )  # fmt: skip


def fill(number: int, quantity: int) -> VenueFill:
    return VenueFill(
        execution_id=f"e{number}", venue_order_id=VENUE_ID, symbol="SPY", side=Side.BUY, quantity=Decimal(quantity),
        price=Decimal(100), timestamp=number,
    )  # fmt: skip


STORY: list[VenueOrder | VenueFill] = [
    said(OrderStatus.PENDING_NEW, 0), said(OrderStatus.NEW, 0), said(OrderStatus.PARTIALLY_FILLED, 4), fill(1, 4),
    said(OrderStatus.PARTIALLY_FILLED, 9), fill(2, 5), said(OrderStatus.FILLED, 10), fill(3, 1),
]  # fmt: skip
CANCELLED: list[VenueOrder | VenueFill] = [
    said(OrderStatus.NEW, 0), said(OrderStatus.PARTIALLY_FILLED, 4), fill(1, 4), said(OrderStatus.PENDING_CANCEL, 4),
    said(OrderStatus.CANCELED, 4),
]  # fmt: skip


def told(story: list[VenueOrder | VenueFill]) -> tuple[OrderStatus, Decimal, Decimal]:
    book = OrderBook("demo")
    book.add(ours())
    previous = Decimal(0)
    for news in story:
        if isinstance(news, VenueOrder):
            book.take_order(news, 1)
            for orphan in book.claim_orphans(news.venue_order_id):
                book.take_fill(orphan, 1)
        else:
            book.take_fill(news, 1)
        order = book.get(ID)
        assert order is not None
        assert previous <= order.filled_quantity <= order.quantity
        previous = order.filled_quantity
    order = book.get(ID)
    assert order is not None
    return order.status, order.filled_quantity, book.filled(order)


def shuffled(story: list[VenueOrder | VenueFill]) -> st.SearchStrategy[list[VenueOrder | VenueFill]]:
    """Every message at least once, some again, in any order."""
    return st.lists(st.sampled_from(story), max_size=8).flatmap(lambda more: st.permutations([*story, *more]))


@given(shuffled(STORY))
def test_a_filled_order_ends_filled_however_it_is_told(story: list[VenueOrder | VenueFill]) -> None:
    assert told(story) == (OrderStatus.FILLED, Decimal(10), Decimal(10))


@given(shuffled(CANCELLED))
def test_a_cancelled_order_keeps_what_was_filled(story: list[VenueOrder | VenueFill]) -> None:
    assert told(story) == (OrderStatus.CANCELED, Decimal(4), Decimal(4))


def test_the_venues_rejection_stays_and_ours_gives_way_to_the_venues_word() -> None:
    book = OrderBook("demo")
    book.add(ours())
    book.take_order(said(OrderStatus.REJECTED, 0), 1)
    assert book.take_order(said(OrderStatus.PENDING_NEW, 0), 2) is None
    mistaken = OrderBook("demo")
    mistaken.add(msgspec.structs.replace(ours(), status=OrderStatus.REJECTED))
    found = mistaken.take_order(said(OrderStatus.NEW, 0), 1)
    assert found is not None
    assert found.status is OrderStatus.NEW


def test_an_order_with_our_prefix_is_adopted_and_others_are_foreign() -> None:
    book = OrderBook("demo")
    mine = msgspec.structs.replace(said(OrderStatus.NEW, 0), client_order_id="demo-sma-cross-01abc")
    book.take_order(mine, 1)
    other = msgspec.structs.replace(said(OrderStatus.NEW, 0), client_order_id="live-x-1", venue_order_id="v2")
    book.take_order(other, 1)
    found = {order.client_order_id: (order.sleeve, order.foreign) for order in book}
    assert found == {"demo-sma-cross-01abc": ("sma-cross", False), "live-x-1": ("external", True)}


def test_a_fill_of_an_unknown_order_waits_for_it() -> None:
    book = OrderBook("demo")
    assert book.take_fill(fill(1, 4), 1) is None
    assert [fill.venue_order_id for fill in book.orphans()] == [VENUE_ID]
    book.take_order(said(OrderStatus.NEW, 0), 1)
    [orphan] = book.claim_orphans(VENUE_ID)
    taken = book.take_fill(orphan, 1)
    assert taken is not None
    assert taken[1].quantity == 4
