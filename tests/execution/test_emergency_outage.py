"""The emergency stop at a venue that does not answer at first, or misses an order: it goes on asking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from engine.broker.base import VenueOrder
from engine.control import EmergencyReport
from engine.domain.errors import UnavailableError
from engine.domain.events import SystemEvent, TradingState
from engine.domain.portfolio import VenuePosition
from engine.execution import emergency, stopping
from tests.execution.conftest import buy
from tests.execution.scripted_venue import ScriptedDesk
from tests.waiting import until


@pytest.fixture
def scripted(scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch) -> ScriptedDesk:
    monkeypatch.setattr(emergency, "PHASE", 2.0)
    return scripted


async def test_a_venue_that_answers_again_within_the_time_is_left_with_nothing_open(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    await scripted.core.place(buy(3, "AAPL", limit="90"))
    scripted.hear()
    scripted.venue.deaf = True

    def answer_again() -> None:
        scripted.venue.deaf = False

    asyncio.get_running_loop().call_later(0.3, answer_again)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}
    assert await scripted.venue.open_orders() == []


async def test_positions_that_cannot_be_read_at_first_are_closed_all_the_same(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scripted.core.place(buy(5))
    scripted.hear()
    read, failures = scripted.venue.positions, iter(range(2))

    async def positions() -> Sequence[VenuePosition]:
        if next(failures, None) is not None:
            raise UnavailableError("The venue does not answer.", "Wait.")
        return await read()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}


async def test_nothing_is_flat_while_the_positions_lag_behind_an_order_that_was_filled(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await scripted.core.place(buy(3, limit="90"))
    scripted.hear()
    scripted.venue.fill(placed.client_order_id, Decimal(3))
    read, behind = scripted.venue.positions, iter(range(2))

    async def positions() -> Sequence[VenuePosition]:
        return [] if next(behind, None) is not None else await read()

    monkeypatch.setattr(scripted.venue, "positions", positions)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}


async def test_an_order_whose_end_nobody_tells_is_named(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await scripted.core.place(buy(3, limit="90"))
    scripted.hear()

    async def nothing(*_: object) -> Sequence[VenueOrder]:
        return []

    async def unknown(*_: object) -> None:
        return None

    monkeypatch.setattr(scripted.venue, "open_orders", nothing)
    monkeypatch.setattr(scripted.venue, "order_by_client_id", unknown)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert not report.flat
    assert report.open_orders == [f"perhaps buy 3 SPY ({placed.client_order_id})"]


async def test_an_order_that_the_first_cancel_did_not_hit_is_cancelled_too(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "CANCEL_AGAIN", 0.1)
    await scripted.core.place(buy(3, limit="90"))
    cancel_all, misses = scripted.venue.cancel_all, iter(range(1))

    async def miss_once() -> int:
        return await cancel_all() if next(misses, None) is None else 0

    monkeypatch.setattr(scripted.venue, "cancel_all", miss_once)
    report = await scripted.core.emergency_stop("test", flatten=False)
    assert report.text.startswith("NO ORDER OPEN"), report.steps


async def test_trading_is_not_ready_after_the_stop_because_it_was_not_before(scripted: ScriptedDesk) -> None:
    """Whether the stream is up the engine knows, not the stop: what follows it must not open the gate."""
    scripted.core.ready = False
    await scripted.core.emergency_stop("test", flatten=True)
    await scripted.core.stop()
    assert len(scripted.core._background) == 0
    assert not scripted.core.ready


async def test_a_venue_that_stays_away_is_named_so(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    scripted.venue.deaf = True
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert not report.flat
    assert report.text.startswith("NOT CONFIRMED")
    assert len(report.steps) < 100
    scripted.venue.deaf = False


@pytest.fixture
def _again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergency, "PHASE", 0.05)
    monkeypatch.setattr(stopping, "AGAIN", 0.01)


def newest(desk: ScriptedDesk) -> EmergencyReport:
    report = desk.core.emergency_report
    assert report is not None
    return report


def alerts(desk: ScriptedDesk) -> list[str]:
    return [event.message for event in desk.events if isinstance(event, SystemEvent)]


@pytest.mark.usefixtures("_again_at_once")
async def test_a_dead_venue_is_said_at_once_and_tried_on_until_it_confirms(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    await scripted.core.place(buy(3, "AAPL", limit="90"))
    scripted.hear()
    scripted.venue.deaf = True
    report = await scripted.core.emergency_stop("test", flatten=True, patience=0.02)
    assert report.text.startswith("NOT CONFIRMED yet")
    assert not report.final
    await until(lambda: any("has not confirmed the emergency stop yet" in said for said in alerts(scripted)))
    scripted.venue.deaf = False
    await until(lambda: newest(scripted).final)
    assert newest(scripted).flat, newest(scripted).steps
    assert scripted.venue.held == {}
    assert await scripted.venue.open_orders() == []
    await until(lambda: any(said.startswith("FLAT CONFIRMED") for said in alerts(scripted)))


@pytest.mark.usefixtures("_again_at_once")
async def test_who_activates_trading_meanwhile_ends_it(scripted: ScriptedDesk) -> None:
    """Or the orders that a person places then would be cancelled by a stop of yesterday."""
    await scripted.core.place(buy(3, limit="90"))
    scripted.hear()
    scripted.venue.deaf = True
    await scripted.core.emergency_stop("test", flatten=False, patience=0.02)
    await scripted.core.set_trading_state(TradingState.ACTIVE, "")
    await until(lambda: newest(scripted).final)
    assert newest(scripted).text.startswith("GIVEN UP, because trading was activated")
    assert len(scripted.core._background) <= 1


async def test_a_venue_that_answers_is_confirmed_without_another_word(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    scripted.hear()
    report = await scripted.core.emergency_stop("test", flatten=True, patience=3.0)
    assert (report.flat, report.final) == (True, True)
    assert newest(scripted) == report
