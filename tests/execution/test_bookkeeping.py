"""Fees, splits and transfers between sleeves change positions once, and are still there after a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.broker.base import VenueBooking
from engine.domain.errors import OrderError
from engine.domain.events import SystemEvent
from engine.domain.orders import OrderRequest, Side
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.conftest import buy
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock


class House:
    """A scripted venue, and one life after another of the desk that trades there."""

    def __init__(self, path: Path) -> None:
        self.clock = SkippingClock()
        self.venue = ScriptedVenue(self.clock)
        self._path = path
        self.desk: ScriptedDesk

    async def open(self) -> ScriptedDesk:
        self.desk = ScriptedDesk(self.venue, self.clock, self._path)
        await self.desk.open()
        return self.desk

    async def again(self) -> ScriptedDesk:
        await self.desk.close()
        return await self.open()

    async def trade(self, request: OrderRequest) -> None:
        await self.desk.core.place(request)
        self.desk.hear()

    def quantity(self, sleeve: str, symbol: str = "SPY") -> Decimal:
        return self.desk.core.ledger.positions.get(symbol, sleeve).quantity

    def trade_elsewhere(self, side: Side, quantity: int) -> None:
        """Somebody trades in the account without us."""
        self.venue.elsewhere["SPY"] = self.venue.elsewhere.get("SPY", Decimal(0)) + side.sign * quantity

    async def see_what_is_held(self) -> None:
        """A difference must last before it is believed."""
        for _ in range(2):
            await self.desk.core.poll_positions()
            self.clock.skip(20.0)
            self.desk.price = msgspec.structs.replace(self.desk.price, age=0.0)
        await self.desk.core.poll_positions()

    def alerts(self) -> list[str]:
        return [event.message for event in self.desk.events if isinstance(event, SystemEvent)]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "orders.db")
    await house.open()
    yield house
    await house.desk.close()


async def test_a_fee_in_coins_is_taken_from_the_sleeve_that_bought_and_nobody_is_alarmed(house: House) -> None:
    await house.trade(buy(4, sleeve="bot"))
    (order,) = house.venue.orders.values()
    house.venue.elsewhere["SPY"] = Decimal("-0.01")
    house.venue.booked.append(
        VenueBooking(
            activity_id="fee-1", kind="CFEE", timestamp=house.clock.now(), symbol="SPY", quantity=Decimal("-0.01"),
            venue_order_id=order.venue_order_id,
        )
    )  # fmt: skip
    await house.desk.core.poll_positions()
    await house.desk.core.poll_positions()
    assert house.quantity("bot") == Decimal("3.99")
    assert house.quantity(EXTERNAL_SLEEVE) == 0
    assert house.alerts() == []
    await house.again()
    assert house.quantity("bot") == Decimal("3.99")
    await house.desk.core.poll_positions()
    assert house.quantity("bot") == Decimal("3.99"), "it is known by its id"


async def test_a_split_multiplies_what_each_sleeve_holds(house: House) -> None:
    await house.trade(buy(4, sleeve="one"))
    await house.trade(buy(6, sleeve="two"))
    house.venue.elsewhere["SPY"] = Decimal(10)
    split = VenueBooking(
        activity_id="split-1", kind="SPLIT", timestamp=house.clock.now(), symbol="SPY", quantity=Decimal(10)
    )
    house.venue.booked.append(split)
    await house.desk.core.poll_positions()
    assert (house.quantity("one"), house.quantity("two"), house.quantity(EXTERNAL_SLEEVE)) == (8, 12, 0)
    assert house.desk.core.ledger.positions.get("SPY", "one").average_price == 50
    await house.again()
    assert (house.quantity("one"), house.quantity("two")) == (8, 12)


async def test_what_was_booked_before_we_first_saw_the_account_is_not_ours(house: House) -> None:
    old = VenueBooking(activity_id="old", kind="DIV", timestamp=1, symbol="SPY", amount=Decimal(5))
    house.venue.booked.append(old)
    await house.desk.core.poll_positions()
    assert all(not position.realised for position in house.desk.core.ledger.positions)


async def test_a_split_after_a_fill_of_which_we_heard_later_is_ours(house: House) -> None:
    house.clock.skip(-10.0)
    await house.trade(buy(4, sleeve="one"))
    house.clock.skip(5.0)
    house.venue.elsewhere["SPY"] = Decimal(4)
    split = VenueBooking(
        activity_id="split-1", kind="SPLIT", timestamp=house.clock.now(), symbol="SPY", quantity=Decimal(4)
    )
    house.venue.booked.append(split)
    house.clock.skip(5.0)
    await house.desk.core.poll_positions()
    assert (house.quantity("one"), house.quantity(EXTERNAL_SLEEVE)) == (8, 0)
    await house.again()
    assert house.quantity("one") == 8


async def test_a_bot_whose_shares_were_sold_elsewhere_goes_on_when_it_is_told_so(house: House) -> None:
    await house.trade(buy(5, sleeve="bot"))
    house.trade_elsewhere(Side.SELL, 3)
    await house.see_what_is_held()
    assert house.quantity(EXTERNAL_SLEEVE) == -3
    closing = OrderRequest(symbol="SPY", side=Side.SELL, quantity=Decimal(5), sleeve="bot", reduces=True)
    assert house.desk.core.check(closing).rule == "still_held"
    assert await house.desk.core.reassign_external("SPY", "bot") == -3
    assert (house.quantity("bot"), house.quantity(EXTERNAL_SLEEVE)) == (2, 0)
    await house.again()
    assert (house.quantity("bot"), house.quantity(EXTERNAL_SLEEVE)) == (2, 0), "it was journalled"
    (placed,) = await house.desk.core.close_position("SPY", "bot")
    assert placed.status != "blocked"


async def test_nothing_is_given_that_is_not_there_or_while_orders_work(house: House) -> None:
    with pytest.raises(OrderError, match="has no SPY"):
        await house.desk.core.reassign_external("SPY", "bot")
    house.trade_elsewhere(Side.BUY, 3)
    await house.see_what_is_held()
    with pytest.raises(OrderError, match="another sleeve"):
        await house.desk.core.reassign_external("SPY", EXTERNAL_SLEEVE)
    await house.trade(buy(1, sleeve="bot", limit="90"))
    with pytest.raises(OrderError, match="still open"):
        await house.desk.core.reassign_external("SPY", "bot")


async def test_what_cannot_be_written_down_is_not_given(house: House) -> None:
    house.trade_elsewhere(Side.BUY, 3)
    await house.see_what_is_held()
    await house.desk._journal.close()
    with pytest.raises(OrderError):
        await house.desk.core.reassign_external("SPY", "bot")
    assert (house.quantity("bot"), house.quantity(EXTERNAL_SLEEVE)) == (0, 3)
