"""Exits belong to the order that brought them along: to its sleeve, through restarts, lost answers and cancels."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from engine.broker.base import VenueOrder
from engine.domain.orders import Order, OrderChanges, OrderClass, OrderRequest, OrderStatus, OrderType, Role, Side
from engine.exchange.server import ExchangeServer
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.conftest import Desk, buy, fault
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock
from tests.waiting import until, until_async


def bracket(desk: Desk, limit: str | None = None) -> OrderRequest:
    """The exits are 20 % away from the price, so that they rest."""
    request = buy(5, sleeve="swing", limit=limit)
    return msgspec.structs.replace(request, take_profit=away(desk, 1.2), stop_loss=Decimal(50))


def away(desk: Desk, share: float) -> Decimal:
    return Decimal(f"{desk.prices['SPY'].last * share:.2f}")


def exposure(desk: Desk) -> Decimal:
    return desk.core.ledger.gross_exposure(lambda symbol: Decimal(repr(desk.prices["SPY"].last)))


def exits(desk: Desk) -> dict[str, Order]:
    return {order.role.value: order for order in desk.core.ledger.book if order.leg_of}


async def test_exits_are_known_with_their_parent_and_their_roles(desk: Desk) -> None:
    placed = await desk.core.place(bracket(desk, "100.00"))
    assert placed.status != "blocked", placed.message
    found = exits(desk)
    assert set(found) == {Role.TAKE_PROFIT, Role.STOP_LOSS}
    assert {(order.leg_of, order.sleeve, order.foreign) for order in found.values()} == {
        (placed.client_order_id, "swing", False)
    }


async def test_exits_that_wait_for_their_entry_are_no_exposure_of_their_own(desk: Desk) -> None:
    await desk.core.place(bracket(desk, "100.00"))
    assert exposure(desk) == 500
    await desk.core.place(bracket(desk))
    await until(lambda: desk.core.ledger.positions.net("SPY") == 5)
    await until(lambda: sum(order.status is OrderStatus.NEW for order in desk.core.ledger.book.open) >= 3)
    # Of two exits of five shares, five can be sold: long five and five more to buy at 100.
    assert exposure(desk) == 5 * Decimal(repr(desk.prices["SPY"].last)) + 500


async def test_a_lost_answer_and_lost_news_leave_the_exits_with_their_sleeve(
    exchange: ExchangeServer, desk: Desk
) -> None:
    await fault(exchange, kind="lose_updates", count=100)
    await fault(exchange, kind="http_status", status=500, after=True, path="/v2/orders", method="POST", count=1)
    await desk.core.place(bracket(desk))
    await fault(exchange, kind="clear")
    await desk.core.poll_orders()
    assert set(exits(desk)) == {Role.TAKE_PROFIT, Role.STOP_LOSS}
    assert {order.sleeve for order in desk.core.ledger.book} == {"swing"}


async def test_a_cancelled_parents_exits_end_too(desk: Desk) -> None:
    placed = await desk.core.place(bracket(desk, "100.00"))
    await desk.core.cancel(placed.client_order_id)
    await until(lambda: not desk.core.ledger.book.open)
    assert {order.status for order in desk.core.ledger.book} == {OrderStatus.CANCELED}


async def test_an_exit_is_changed_and_cancelled_by_itself(desk: Desk) -> None:
    await desk.core.place(bracket(desk))
    await until(lambda: exits(desk)["take profit"].status is OrderStatus.NEW)
    old = exits(desk)["take profit"]
    placed = await desk.core.replace(old.client_order_id, OrderChanges(limit_price=away(desk, 1.1)))
    assert placed.status not in {"rejected", "blocked"}, placed.message
    await until(lambda: old.status is OrderStatus.REPLACED)
    [new] = [o for o in desk.core.ledger.book.open if o.role is Role.TAKE_PROFIT]
    assert (new.limit_price, new.leg_of, new.sleeve) == (away(desk, 1.1), old.leg_of, "swing")
    await desk.core.cancel(new.client_order_id)
    await until(lambda: not desk.core.ledger.book.open)


async def test_two_exits_without_an_entry_close_what_is_held(desk: Desk) -> None:
    await desk.core.place(buy(5, sleeve="swing"))
    await until(lambda: desk.core.ledger.positions.net("SPY") == 5)
    placed = await desk.core.place(
        OrderRequest(
            symbol="SPY", side=Side.SELL, quantity=Decimal(5), type=OrderType.LIMIT, limit_price=away(desk, 1.2),
            stop_loss=Decimal(50), one_cancels_other=True, sleeve="swing",
        )
    )  # fmt: skip
    assert placed.status != "blocked", placed.message
    assert [order.role for order in exits(desk).values()] == [Role.STOP_LOSS]
    parent = desk.core.ledger.book.get(placed.client_order_id)
    assert parent is not None
    assert parent.role is Role.TAKE_PROFIT
    assert exposure(desk) == 5 * Decimal(repr(desk.prices["SPY"].last))


async def test_exits_survive_a_restart_and_what_they_fill_is_their_sleeves(
    exchange: ExchangeServer, tmp_path: Path
) -> None:
    first = Desk(exchange.url, tmp_path / "orders.db")
    await first.open()
    await first.learn_prices(exchange)
    await first.core.place(bracket(first))
    await until(lambda: exits(first)["take profit"].status is OrderStatus.NEW)
    await first.close()
    second = Desk(exchange.url, tmp_path / "orders.db")
    await second.open()
    await second.learn_prices(exchange)
    found = exits(second)
    assert {order.sleeve for order in found.values()} == {"swing"}
    near = OrderChanges(limit_price=Decimal("1.00"))
    second.core.limits = msgspec.structs.replace(second.core.limits, price_collar=1.0)
    placed = await second.core.replace(found["take profit"].client_order_id, near)
    assert placed.status != "rejected", placed.message
    await until(lambda: second.core.ledger.positions.net("SPY") == 0)
    assert second.core.ledger.positions.get("SPY", "swing").quantity == 0
    assert second.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0
    await until_async(lambda: _none_open(second))
    await second.close()


async def _none_open(desk: Desk) -> bool:
    await desk.core.poll_orders()
    return not desk.core.ledger.book.open


async def test_a_fill_of_an_exit_that_nobody_told_of_waits_for_its_parent(scripted: ScriptedDesk) -> None:
    """Told first by the stream, it could be anybody's order: only the parent, when asked, says whose it is."""
    placed = await scripted.core.place(with_exits())
    scripted.hear()
    parent = scripted.venue.orders[placed.client_order_id]
    leg = add_exit(scripted.venue, parent)
    scripted.venue.fill(leg.client_order_id, leg.quantity)
    scripted.hear()
    assert scripted.core.ledger.book.get(leg.client_order_id) is None
    shown = msgspec.structs.replace(parent, legs=(scripted.venue.orders[leg.client_order_id],))
    scripted.venue.orders[parent.client_order_id] = shown
    await scripted.core.poll_orders()
    assert scripted.core.ledger.positions.get("SPY", "swing").quantity == 0
    assert scripted.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0


async def test_a_change_of_an_exit_that_was_never_written_down_does_not_stand_for_the_exit(tmp_path: Path) -> None:
    """The disk was full for a moment: the journal has the parent and the wish to change its exit, and not the exit."""
    clock = SkippingClock()
    venue = ScriptedVenue(clock)
    first = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    parent = await opened_with_exits(first)
    leg = add_exit(venue, parent)
    await first.core.ledger.save(
        Order(
            client_order_id="test-swing-change", symbol="SPY", side=leg.side, quantity=leg.quantity, type=leg.type,
            time_in_force=leg.time_in_force, sleeve="swing", created_at=clock.now(), status=OrderStatus.SENT,
            order_class=OrderClass.BRACKET, leg_of=parent.client_order_id, replaces=leg.client_order_id,
        )
    )  # fmt: skip
    await first.close()
    second = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    await second.open()
    venue.fill(leg.client_order_id, leg.quantity)
    second.hear()
    assert second.core.ledger.book.get(leg.client_order_id) is None, "it could be anybody's"
    shown = msgspec.structs.replace(parent, legs=(venue.orders[leg.client_order_id],))
    venue.orders[parent.client_order_id] = shown
    await second.core.poll_orders()
    assert second.core.ledger.positions.get("SPY", "swing").quantity == 0
    assert second.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0
    await second.close()


async def test_an_exit_that_was_never_written_down_is_asked_for_though_its_sibling_was(tmp_path: Path) -> None:
    """The disk was full when the first was told, and had room again for the second; then Paddock was killed."""
    clock = SkippingClock()
    venue = ScriptedVenue(clock)
    first = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    parent = await opened_with_exits(first)
    stop, profit = add_exit(venue, parent, OrderType.STOP), add_exit(venue, parent)
    first.core.ledger.take_order(msgspec.structs.replace(parent, legs=(profit,)))
    await first.close()
    second = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    venue.orders[parent.client_order_id] = msgspec.structs.replace(parent, legs=(stop, profit))
    await venue.cancel(profit.venue_order_id)
    venue.fill(stop.client_order_id, stop.quantity)
    await second.open()
    assert second.core.ledger.positions.get("SPY", "swing").quantity == 0
    assert second.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0
    await second.close()


async def test_an_order_of_somebody_else_is_foreign_once_the_parent_has_told_its_exits(scripted: ScriptedDesk) -> None:
    placed = await scripted.core.place(with_exits())
    scripted.hear()
    parent = scripted.venue.orders[placed.client_order_id]
    stop, profit = add_exit(scripted.venue, parent, OrderType.STOP), add_exit(scripted.venue, parent)
    stranger = add_exit(scripted.venue, parent)
    scripted.hear()
    assert scripted.core.ledger.book.get(stranger.client_order_id) is None, "it might be the exit"
    scripted.venue.orders[parent.client_order_id] = msgspec.structs.replace(parent, legs=(stop, profit))
    await scripted.core.poll_orders()
    found = {
        o.client_order_id: o.foreign for o in scripted.core.ledger.book if o.client_order_id != placed.client_order_id
    }
    assert found == {stop.client_order_id: False, profit.client_order_id: False, stranger.client_order_id: True}


async def test_an_exit_becomes_smaller_as_soon_as_the_other_fills_in_part(scripted: ScriptedDesk) -> None:
    """The venue tells of the fill alone; until the next list ten seconds would pass."""
    placed = await scripted.core.place(with_exits())
    scripted.hear()
    parent = scripted.venue.orders[placed.client_order_id]
    stop, profit = add_exit(scripted.venue, parent, OrderType.STOP), add_exit(scripted.venue, parent)
    scripted.core.ledger.take_order(msgspec.structs.replace(parent, legs=(stop, profit)))
    scripted.hear()
    orders = scripted.venue.orders
    orders[stop.client_order_id] = msgspec.structs.replace(orders[stop.client_order_id], quantity=Decimal(3))
    scripted.venue.fill(profit.client_order_id, Decimal(1))
    scripted.venue.fill(profit.client_order_id, Decimal(1))
    scripted.hear()
    book = scripted.core.ledger.book
    await until(lambda: [leg.quantity for leg in book.families.legs(book.get(placed.client_order_id))] == [3, 5])


async def opened_with_exits(desk: ScriptedDesk) -> VenueOrder:
    await desk.open()
    placed = await desk.core.place(with_exits())
    desk.hear()
    return desk.venue.orders[placed.client_order_id]


def with_exits() -> OrderRequest:
    return msgspec.structs.replace(buy(5, sleeve="swing"), take_profit=Decimal(120), stop_loss=Decimal(50))


def add_exit(venue: ScriptedVenue, parent: VenueOrder, kind: OrderType = OrderType.LIMIT) -> VenueOrder:
    """As the venue makes it: an id of its own, the class of its group, and nothing that says whose it is."""
    number = len(venue.orders)
    return venue.accept(
        Order(
            client_order_id=f"made-by-the-venue-{number}", symbol=parent.symbol, side=parent.side.opposite,
            quantity=parent.quantity, type=kind, time_in_force=parent.time_in_force, sleeve="",
            created_at=0, limit_price=Decimal(120), order_class=OrderClass.BRACKET,
        )
    )  # fmt: skip
