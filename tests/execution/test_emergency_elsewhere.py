"""The emergency stop where somebody else has just traded in the account, and the venue's list of positions lags."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from engine.broker.base import VenueOrder
from engine.domain.orders import Order, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account, VenuePosition
from engine.execution import emergency, flatten
from tests.execution.scripted_venue import ScriptedDesk

MARKET = Order(
    client_order_id="somebody-else", symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.MARKET,
    time_in_force=TimeInForce.DAY, sleeve="", created_at=0,
)  # fmt: skip


@pytest.fixture
def scripted(scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> ScriptedDesk:
    """Somebody else holds a share, of which we have not heard."""
    monkeypatch.setattr(emergency, "PHASE", 2.0)
    scripted.venue.accept(MARKET)
    return scripted


async def test_what_is_heard_while_the_venue_is_asked_is_not_called_flat(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one list that is asked for lags; then the stream tells of the share."""
    read, ask, lagged = scripted.venue.positions, scripted.venue.open_orders, list[str]()

    async def positions() -> Sequence[VenuePosition]:
        if lagged:
            return await read()
        lagged.append("once")
        return []

    async def open_orders() -> Sequence[VenueOrder]:
        if lagged:
            scripted.hear()
        return await ask()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    monkeypatch.setattr(scripted.venue, "open_orders", open_orders)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}


@pytest.mark.parametrize("behind", [2, 10**6])
async def test_a_list_without_positions_is_not_believed_while_the_account_is_worth_more_than_its_cash(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """Nobody tells of the share."""
    read, lists = scripted.venue.positions, iter(range(behind))

    async def positions() -> Sequence[VenuePosition]:
        return [] if next(lists, None) is not None else await read()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    report = await scripted.core.emergency_stop("test", flatten=True)
    if behind == 2:
        assert report.flat, report.steps
        assert scripted.venue.held == {}
    else:
        assert (report.flat, report.final) == (False, False)
        assert any("its account has positions worth 100.00 USD" in step for step in report.steps)


async def test_of_a_fill_that_is_heard_without_its_order_the_order_is_asked_for(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, lists = scripted.venue.positions, iter(["it lags"])

    async def positions() -> Sequence[VenuePosition]:
        return [] if next(lists, None) is not None else await read()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    scripted.core.ledger.take_fill(scripted.venue.executions[0])
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}


async def test_a_fill_whose_order_the_venue_does_not_tell_is_named(scripted: ScriptedDesk) -> None:
    """The list of positions shows nothing yet."""
    unknown = msgspec.structs.replace(scripted.venue.executions.pop(), venue_order_id="v99")
    scripted.core.ledger.take_fill(unknown)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert not report.flat
    assert report.open_orders == ["perhaps SPY (order v99, of which the venue tells only fills)"]
    assert not report.final, "it is tried again"


async def test_news_without_end_is_not_waited_for(scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time the venue is asked, somebody has bought something else, and its positions never show it."""
    monkeypatch.setattr(emergency, "PHASE", 0.05)
    monkeypatch.setattr(flatten, "GIVE_UP", 0.05)
    monkeypatch.setattr(flatten, "PAUSE", 0.01)
    scripted.venue.executions.clear()
    ask, worthless, bought = scripted.venue.open_orders, await scripted.venue.account(), itertools.count()

    async def positions() -> Sequence[VenuePosition]:
        return []

    async def account() -> Account:
        return worthless

    async def open_orders() -> Sequence[VenueOrder]:
        scripted.venue.accept(
            msgspec.structs.replace(MARKET, client_order_id=f"x{next(bought)}", symbol=f"S{next(bought)}")
        )
        scripted.hear()
        return await ask()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    monkeypatch.setattr(scripted.venue, "account", account)
    monkeypatch.setattr(scripted.venue, "open_orders", open_orders)
    report = await scripted.core._new_stop().run(flatten=True)
    assert report.text.startswith("NOT CONFIRMED")
    assert not report.final, "it is tried again"
