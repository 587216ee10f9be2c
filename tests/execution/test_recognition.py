"""Somebody changes our order at the venue before we have heard that it arrived. Until the venue is asked, the changed one is
taken for somebody else's; then it is our bot's, with all that it filled.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.orders import Order, OrderChanges, OrderType, Side, TimeInForce
from engine.domain.portfolio import Position
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.conftest import buy
from tests.execution.scripted_venue import ScriptedDesk, ScriptedVenue, SkippingClock

KEY = "somebody-else"


class Changed:
    """`order` of `desk`, in the place of swing's 5 shares."""

    def __init__(self, folder: Path, adopt_into: str = "") -> None:
        self._clock, self._path, self._adopt_into = SkippingClock(), folder / "orders.db", adopt_into
        self.venue = ScriptedVenue(self._clock)
        self.first = ""
        """Client order id of the order that was changed."""
        self.desk = self._open()

    def _open(self) -> ScriptedDesk:
        return ScriptedDesk(self.venue, self._clock, self._path, adopt_into=self._adopt_into)

    async def happen(self) -> None:
        await self.desk.open()
        self.venue.answers.append("late")
        placed = await self.desk.core.place(buy(5, sleeve="swing", limit="90"))
        self.first = placed.client_order_id
        self.venue.arrive()
        arrived = self.venue.orders[placed.client_order_id]
        changed = Order(
            client_order_id=KEY, symbol="SPY", side=Side.BUY, quantity=Decimal(5), type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY, sleeve="", created_at=0, limit_price=Decimal(91),
        )  # fmt: skip
        self.venue.change(arrived.venue_order_id, changed)
        new = self.venue.news.pop()
        self.venue.news.clear()
        self.desk.core.on_trade_update(new)

    async def restart(self) -> None:
        await self.desk.close()
        self.desk = self._open()
        await self.desk.open()

    def fill(self, quantity: int) -> None:
        self.venue.fill(KEY, Decimal(quantity))
        self.desk.hear()

    @property
    def order(self) -> Order:
        found = self.desk.core.ledger.book.get(KEY)
        assert found is not None
        return found

    def position(self, sleeve: str) -> Position:
        return self.desk.core.ledger.positions.get("SPY", sleeve)

    def held(self, *sleeves: str) -> list[Decimal]:
        return [self.position(sleeve).quantity for sleeve in sleeves]


async def test_it_is_no_longer_the_adopters_once_that_is_known(tmp_path: Path) -> None:
    changed = Changed(tmp_path, adopt_into="found")
    await changed.happen()
    assert changed.order.sleeve == "found"
    await changed.desk.core.poll_orders()
    changed.fill(5)
    assert (changed.order.sleeve, changed.order.replaces) == ("swing", changed.first)
    assert changed.held("swing", "found") == [5, 0]
    await changed.desk.close()


@pytest.mark.parametrize("taken_for", [EXTERNAL_SLEEVE, "found"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_what_it_filled_meanwhile_goes_to_the_bot_at_its_price_and_stays_there(
    tmp_path: Path, taken_for: str, restarted: bool
) -> None:
    changed = Changed(tmp_path, adopt_into="" if taken_for == EXTERNAL_SLEEVE else taken_for)
    await changed.happen()
    changed.fill(2)
    changed.fill(1)
    assert changed.held("swing", taken_for) == [0, 3]
    if restarted:
        await changed.restart()
    await changed.desk.core.poll_orders()
    changed.fill(2)
    assert changed.held("swing", taken_for) == [5, 0]
    bought = changed.position("swing")
    assert (bought.average_price, bought.realised) == (changed.order.average_fill_price, 0)
    before = [
        (position.sleeve, position.quantity, position.realised) for position in changed.desk.core.ledger.positions
    ]
    await changed.restart()
    assert [(p.sleeve, p.quantity, p.realised) for p in changed.desk.core.ledger.positions if p.quantity] == [
        one for one in before if one[1]
    ]
    await changed.desk.core.poll_orders()
    assert changed.held("swing", taken_for) == [5, 0]
    await changed.desk.close()


async def test_what_took_its_place_in_turn_is_the_bots_too_with_what_it_filled(tmp_path: Path) -> None:
    """A person changed the adopted order in the window, and that one filled, before the venue told whose it had been."""
    changed = Changed(tmp_path, adopt_into="found")
    await changed.happen()
    placed = await changed.desk.core.replace(KEY, OrderChanges(limit_price=Decimal(92)))
    changed.venue.fill(placed.client_order_id, Decimal(1))
    changed.venue.fill(placed.client_order_id, Decimal(1))
    changed.desk.hear()
    assert changed.held("swing", "found") == [0, 2]
    await changed.desk.core.poll_orders()
    changed.venue.fill(placed.client_order_id, Decimal(3))
    changed.desk.hear()
    assert changed.held("swing", "found") == [5, 0]
    await changed.restart()
    assert changed.held("swing", "found") == [5, 0]
    await changed.desk.close()
