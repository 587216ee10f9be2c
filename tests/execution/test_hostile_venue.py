"""A venue at its worst, one way at a time: what is heard late, in the wrong order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.domain.errors import OrderError, UnavailableError
from engine.domain.events import SystemEvent, TradingState
from engine.domain.orders import OrderStatus, Side
from engine.execution import flatten, reconcile
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.execution.conftest import buy
from tests.execution.scripted_venue import LOOSE, ScriptedDesk, ScriptedVenue, SkippingClock
from tests.waiting import until

PATIENT = msgspec.structs.replace(LOOSE, signal_life_s=5.0)


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[ScriptedDesk]:
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db", PATIENT)
    await desk.open()
    yield desk
    await desk.close()


def held(desk: ScriptedDesk) -> dict[str, Decimal]:
    return {p.sleeve: p.quantity for p in desk.core.ledger.positions if p.quantity}


async def test_a_fill_from_long_before_the_restart_is_found(tmp_path: Path) -> None:
    clock = SkippingClock()
    venue = ScriptedVenue(clock)
    first = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    await first.open()
    await first.core.place(buy(5))
    await first.close()
    clock.skip(600)
    second = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    await second.open()
    assert held(second) == {"test": 5}
    await second.close()


async def test_a_fill_that_the_stream_lost_is_found_behind_newer_ones(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    scripted.venue.news.clear()
    scripted.clock.skip(600)
    await scripted.core.place(buy(2, sleeve="other"))
    scripted.hear()
    assert held(scripted) == {"other": 2}
    await scripted.core.reconcile("test")
    assert held(scripted) == {"test": 5, "other": 2}


async def test_a_fill_while_positions_are_compared_is_nobody_elses(scripted: ScriptedDesk) -> None:
    placed = await scripted.core.place(buy(5, limit="90"))
    once = iter([lambda: scripted.venue.fill(placed.client_order_id, Decimal(5))])
    scripted.venue.before_positions = lambda: next(once, lambda: None)()
    await scripted.core.poll_positions()
    assert held(scripted) == {"test": 5}
    scripted.hear()
    assert held(scripted) == {"test": 5}


async def test_while_the_list_of_fills_lags_a_difference_is_not_external(scripted: ScriptedDesk) -> None:
    scripted.venue.unlisted_fills = True
    await scripted.core.place(buy(5))
    await scripted.core.poll_positions()
    assert held(scripted) == {}
    scripted.venue.unlisted_fills = False
    await scripted.core.poll_positions()
    assert held(scripted) == {"test": 5}


async def test_what_nobody_can_explain_is_external_in_the_end_and_told(scripted: ScriptedDesk) -> None:
    scripted.venue.unlisted_fills = True
    await scripted.core.place(buy(5))
    for _ in range(10):
        await scripted.core.poll_positions()
        scripted.clock.skip(reconcile.CONFIRM / 5)
    assert held(scripted) == {EXTERNAL_SLEEVE: 5}
    await until(lambda: not scripted.bus.backlog)
    told = [event.message for event in scripted.events if isinstance(event, SystemEvent)]
    assert [message for message in told if "differs from our fills by 5" in message] == [
        "The venue's position in SPY differs from our fills by 5."
    ]


async def test_a_list_that_was_asked_for_long_ago_confirms_nothing(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5))
    scripted.hear()
    scripted.venue.elsewhere = {"SPY": Decimal(-2)}
    await scripted.core.poll_positions()
    scripted.venue.before_positions = lambda: scripted.clock.skip(reconcile.CONFIRM)
    await scripted.core.poll_positions()
    assert held(scripted) == {"test": 5}, "both lists were made when the fill was fresh"
    await scripted.core.poll_positions()
    assert held(scripted) == {"test": 5, EXTERNAL_SLEEVE: -2}


@pytest.mark.parametrize("answers", [["unsent"], ["drop"], ["late"]])
@pytest.mark.parametrize("how", ["cancel", "halt"])
async def test_nothing_is_sent_again_after_a_cancel_or_a_halt(
    scripted: ScriptedDesk, answers: list[str], how: str
) -> None:
    scripted.venue.answers.extend(answers)
    placing = asyncio.create_task(scripted.core.place(buy(5)))
    [client_order_id] = await until(lambda: scripted.venue.submits)
    if how == "cancel":
        await scripted.core.cancel(client_order_id)
    else:
        await scripted.core.set_trading_state(TradingState.HALTED, "test")
    scripted.clock.skip(10)
    await placing
    assert scripted.venue.submits == [client_order_id]
    assert scripted.venue.orders == {}


async def test_a_cancel_that_the_disk_refuses_is_told_to_be_in_memory_only(scripted: ScriptedDesk) -> None:
    scripted.venue.hold = asyncio.Event()
    placing = asyncio.create_task(scripted.core.place(buy(5, limit="90")))
    [client_order_id] = await until(lambda: scripted.venue.submits)
    database = scripted.core.ledger.behind._journal._database
    database.execute("PRAGMA query_only = ON")
    with pytest.raises(OrderError, match="only in memory"):
        await scripted.core.cancel(client_order_id)
    with pytest.raises(OrderError, match="only in memory"):
        await scripted.core.cancel_all()
    scripted.venue.hold.set()
    await placing
    await until(lambda: scripted.venue.orders[client_order_id].status is OrderStatus.CANCELED)
    database.execute("PRAGMA query_only = OFF")


async def test_what_was_cancelled_before_it_showed_is_cancelled_when_it_shows(scripted: ScriptedDesk) -> None:
    scripted.venue.answers.append("late")
    placing = asyncio.create_task(scripted.core.place(buy(5, limit="90")))
    [client_order_id] = await until(lambda: scripted.venue.submits)
    await scripted.core.cancel(client_order_id)
    scripted.clock.skip(10)
    assert (await placing).status == "unresolved"
    scripted.venue.arrive()
    await scripted.core.poll_orders()
    await until(lambda: scripted.venue.orders[client_order_id].status is OrderStatus.CANCELED)


async def test_an_order_ready_to_go_does_not_slip_past_the_emergency_stop(scripted: ScriptedDesk) -> None:
    tasks: list[asyncio.Task[object]] = []
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: tasks.append(loop.create_task(scripted.core.place(buy(5)))))
    await asyncio.sleep(0)  # the order's task runs at the stop's first pause
    await scripted.core.emergency_stop("test", flatten=True)
    await asyncio.gather(*tasks)
    assert scripted.venue.submits == []


async def test_the_emergency_stop_waits_for_an_order_on_the_wire_and_closes_it(scripted: ScriptedDesk) -> None:
    scripted.venue.hold = asyncio.Event()
    placing = asyncio.create_task(scripted.core.place(buy(5)))
    await until(lambda: scripted.venue.submits)
    stopping = asyncio.create_task(scripted.core.emergency_stop("test", flatten=True))
    await until(lambda: scripted.core.trading_state is TradingState.HALTED)
    hold, scripted.venue.hold = scripted.venue.hold, None
    hold.set()
    report = await stopping
    await placing
    assert report.flat, report.steps
    assert scripted.venue.held == {}


async def test_the_emergency_stop_does_not_confirm_what_may_still_arrive(scripted: ScriptedDesk) -> None:
    scripted.venue.answers.append("late")
    scripted.venue.deaf = True
    scripted.core._sender._life = 0.05
    placed = await scripted.core.place(buy(5))
    scripted.venue.deaf = False
    assert placed.status == "unresolved"
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert not report.flat
    assert f"perhaps buy 5 SPY ({placed.client_order_id})" in report.text


async def test_the_emergency_stop_closes_the_accounts_sum_whatever_the_limits_say(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5, sleeve="one"))
    scripted.hear()
    short = msgspec.structs.replace(buy(3, sleeve="two"), side=Side.SELL)
    await scripted.core.place(short)
    scripted.hear()
    scripted.price = msgspec.structs.replace(scripted.price, age=60.0)
    scripted.core.ready = False
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert [fill.quantity for fill in scripted.venue.executions] == [5, 3, 2]


async def test_the_emergency_stop_hears_of_fills_by_asking(scripted: ScriptedDesk) -> None:
    """The stream is dead: what it never told must not be closed twice, or be left with a bot."""
    await scripted.core.place(buy(5, sleeve="bot"))
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    await scripted.core.reconcile("test")
    assert held(scripted) == {}


async def test_the_emergency_stop_does_not_believe_a_list_that_may_still_have_lagged(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue lags, and does not answer at the moment at which it would have to be believed."""
    monkeypatch.setattr(flatten, "PAUSE", 0.0)
    await scripted.core.place(buy(5, sleeve="bot"))
    scripted.hear()
    scripted.venue.elsewhere = {"SPY": Decimal(-2)}

    def answers() -> Iterator[None]:
        yield
        scripted.clock.skip(flatten.AGREE)
        yield
        scripted.venue.elsewhere = {}
        raise UnavailableError("The venue does not answer.", "Wait.")

    answer = answers()
    scripted.venue.before_positions = lambda: next(answer, None)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert [fill.quantity for fill in scripted.venue.executions] == [5, 5]


async def test_the_emergency_stop_does_not_believe_a_list_that_lags_behind_a_sale_it_has_just_heard_of(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long after the two began to differ an order of ours fills, and the venue's list does not show it yet."""
    monkeypatch.setattr(flatten, "PAUSE", 0.0)
    await scripted.core.place(buy(5, sleeve="bot"))
    scripted.hear()
    selling = msgspec.structs.replace(buy(5, sleeve="bot", limit="101"), side=Side.SELL)
    resting = await scripted.core.place(selling)
    assert resting.status == "new", resting
    scripted.hear()
    scripted.venue.elsewhere = {"SPY": Decimal(-2)}
    [differs] = await scripted.venue.positions()

    def answers() -> Iterator[None]:
        scripted.clock.skip(flatten.AGREE)
        yield
        scripted.venue.fill(resting.client_order_id, Decimal(5))
        scripted.hear()
        scripted.venue.elsewhere = {"SPY": Decimal(5)}
        yield
        scripted.venue.elsewhere = {}

    answer = answers()
    scripted.venue.before_positions = lambda: next(answer, None)
    assert await scripted.core._new_stop()._flattening.close(differs) == "nothing to close"
    assert scripted.venue.held == {}


async def test_the_emergency_stop_closes_what_a_split_makes_of_a_sale_and_does_not_believe_an_older_list(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares were joined while they were being sold, so one too many is sold. One list shows it, the next one is older."""
    monkeypatch.setattr(flatten, "PAUSE", 0.0)
    await scripted.core.place(buy(5, sleeve="bot"))
    scripted.hear()

    def answers() -> Iterator[None]:
        yield
        scripted.venue.elsewhere = {"SPY": Decimal(-1)}
        yield
        scripted.venue.elsewhere = {}
        yield
        scripted.venue.elsewhere = {"SPY": Decimal(-1)}
        while True:
            scripted.clock.skip(1.0)
            yield

    answer = answers()
    scripted.venue.before_positions = lambda: next(answer, None)
    report = await scripted.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert scripted.venue.held == {}
    assert [(fill.side, fill.quantity) for fill in scripted.venue.executions[1:]] == [(Side.SELL, 5), (Side.BUY, 1)]


async def test_attempts_that_overlap_close_a_position_once(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5, sleeve="bot"))
    scripted.hear()
    [position] = await scripted.venue.positions()
    scripted.venue.hold = asyncio.Event()
    attempts = [asyncio.create_task(scripted.core._new_stop()._flattening.close(position)) for _ in range(2)]
    await until(lambda: len(scripted.venue.submits) == 2)
    scripted.venue.hold.set()
    said = await asyncio.gather(*attempts)
    assert said[0] == said[1]
    scripted.hear()
    assert scripted.venue.held == {}


async def test_a_sleeve_does_not_sell_what_was_sold_elsewhere(scripted: ScriptedDesk) -> None:
    await scripted.core.place(buy(5, sleeve="bot"))
    scripted.hear()
    scripted.venue.executions.clear()
    await scripted.core.reconcile("test")
    assert held(scripted) == {"bot": 5}, "the venue's list may lag behind the fill"
    scripted.clock.skip(reconcile.CONFIRM)
    await scripted.core.reconcile("test")
    assert held(scripted) == {"bot": 5, EXTERNAL_SLEEVE: -5}
    closing = msgspec.structs.replace(buy(5, sleeve="bot"), side=Side.SELL, reduces=True)
    verdict = scripted.core.check(closing)
    assert verdict.rule == "still_held"
