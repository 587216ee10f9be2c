"""A working order is changed: one order before, one after, whatever the venue answers and whenever we die."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.broker.base import TradeUpdate, VenueOrder
from engine.domain.errors import OrderError
from engine.domain.events import SystemEvent
from engine.domain.orders import Order, OrderChanges, OrderStatus
from engine.exchange.server import ExchangeServer
from engine.execution import sender
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.limits import Limits
from tests.execution.conftest import Desk, buy, fault
from tests.execution.dying_change import STEPS
from tests.execution.scripted_venue import LOOSE, ScriptedDesk, ScriptedVenue, SkippingClock
from tests.waiting import until, until_async

DEARER = OrderChanges(limit_price=Decimal(95))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(sender, "LONGEST_PAUSE", 0.004)


async def resting(desk: ScriptedDesk, quantity: int = 10) -> Order:
    placed = await desk.core.place(buy(quantity, limit="90"))
    desk.hear()
    return known(desk, placed.client_order_id)


def known(desk: ScriptedDesk, client_order_id: str) -> Order:
    order = desk.core.ledger.book.get(client_order_id)
    assert order is not None
    return order


def working(desk: ScriptedDesk) -> list[Order]:
    return desk.core.ledger.book.open


async def test_the_new_order_works_and_the_old_one_is_replaced(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    scripted.hear()
    [new] = working(scripted)
    assert (new.client_order_id, new.limit_price, new.replaces) == (placed.client_order_id, 95, old.client_order_id)
    assert (old.status, new.sleeve) == (OrderStatus.REPLACED, "test")


@pytest.mark.parametrize("way", ["swallow", "late", "drop", "unsent"])
async def test_an_unclear_answer_leads_to_one_replacement(scripted: ScriptedDesk, way: str) -> None:
    old = await resting(scripted)
    scripted.venue.answers.append(way)
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    scripted.venue.arrive()
    scripted.hear()
    assert [order.client_order_id for order in working(scripted)] == [placed.client_order_id]
    assert set(scripted.venue.submits[1:]) == {placed.client_order_id}, "always under the same id"


async def test_a_change_that_landed_is_found_though_the_venue_then_calls_the_old_order_replaced(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue does not find it by our id yet, and refuses the second attempt: only the old order tells."""
    old = await resting(scripted)
    scripted.venue.answers.append("swallow")

    async def not_yet(client_order_id: str) -> None: ...

    monkeypatch.setattr(scripted.venue, "order_by_client_id", not_yet)
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    assert placed.status == "new"


async def test_a_refused_change_leaves_the_old_order_working_and_says_so(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    scripted.venue.answers.append("refuse")
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    assert (placed.status, old.status) == ("rejected", OrderStatus.NEW)
    assert [order.client_order_id for order in working(scripted)] == [old.client_order_id]
    await until(lambda: any("It keeps working as it was" in said for said in remedies(scripted)))


async def test_an_order_that_fills_first_is_not_replaced(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    scripted.venue.answers.append("late")
    scripted.venue.fill(old.client_order_id, Decimal(10))
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    scripted.hear()
    assert (placed.status, old.status) == ("rejected", OrderStatus.FILLED)
    assert scripted.core.ledger.positions.net("SPY") == 10


async def test_fills_of_the_old_order_that_come_late_count_once(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    scripted.venue.fill(old.client_order_id, Decimal(4))
    late, scripted.venue.news = scripted.venue.news.copy(), scripted.venue.news.__class__()
    placed = await scripted.core.replace(old.client_order_id, DEARER)
    scripted.hear()
    for update in [*late, *late]:
        scripted.core.on_trade_update(update)
    new = known(scripted, placed.client_order_id)
    assert (old.status, old.filled_quantity, new.quantity) == (OrderStatus.REPLACED, 4, 6)
    scripted.venue.fill(new.client_order_id, Decimal(6))
    await scripted.core.poll_orders()
    assert scripted.core.ledger.positions.net("SPY") == 10
    assert new.status is OrderStatus.FILLED


async def test_the_risk_of_the_old_order_is_replaced_not_doubled(tmp_path: Path) -> None:
    """An order of $900 of $1,000 that may be at risk: it can be made one of $950, and not one of $1,900."""
    clock = SkippingClock()
    limits = msgspec.structs.replace(LOOSE, max_gross_exposure=0.001, max_position_share=0.001)
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db", limits)
    await desk.open()
    old = await resting(desk)
    assert desk.core.check_change(old.client_order_id, DEARER).allowed
    double = desk.core.check_change(old.client_order_id, OrderChanges(quantity=Decimal(20)))
    assert double.rule == "position_size"
    desk.venue.hold = asyncio.Event()
    task = asyncio.create_task(desk.core.replace(old.client_order_id, DEARER))
    await until(lambda: len(desk.venue.submits) == 2)
    assert desk.core.ledger.gross_exposure(lambda symbol: Decimal(100)) == 950, "of the two the larger one counts"
    desk.venue.hold.set()
    await task
    await desk.close()


async def test_a_blocked_change_never_leaves_the_house(tmp_path: Path) -> None:
    clock = SkippingClock()
    desk = ScriptedDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db", Limits(signal_life_s=0.05))
    await desk.open()
    old = await resting(desk)
    placed = await desk.core.replace(old.client_order_id, OrderChanges(quantity=Decimal(600)))
    assert (placed.status, old.status, len(desk.venue.submits)) == ("blocked", OrderStatus.NEW, 1)
    await desk.close()


async def test_a_cancel_reaches_whichever_is_alive(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    scripted.venue.hold = asyncio.Event()
    task = asyncio.create_task(scripted.core.replace(old.client_order_id, DEARER))
    await until(lambda: len(scripted.venue.submits) == 2)
    # The change lands before the cancel of the old order does.
    cancelled = scripted.core.cancel(old.client_order_id)
    scripted.venue.hold.set()
    await asyncio.gather(task, cancelled)
    scripted.hear()
    await until_async(lambda: nothing_open(scripted))


async def nothing_open(desk: ScriptedDesk) -> bool:
    desk.hear()
    return not await desk.venue.open_orders()


async def test_a_cancel_of_the_old_id_ends_the_replacement(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    await scripted.core.replace(old.client_order_id, DEARER)
    scripted.hear()
    await scripted.core.cancel(old.client_order_id)
    assert await nothing_open(scripted)


async def test_what_somebody_changed_at_the_venue_stays_with_its_sleeve(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    elsewhere = msgspec.structs.replace(old, client_order_id="somebody-else", limit_price=Decimal(80))
    new = scripted.venue.change(old.venue_order_id, elsewhere)
    scripted.venue.news.clear()
    await scripted.core.poll_orders()
    found = known(scripted, "somebody-else")
    assert (found.sleeve, found.foreign, found.replaces) == ("test", False, old.client_order_id)
    scripted.venue.fill(new.client_order_id, Decimal(10))
    scripted.hear()
    assert scripted.core.ledger.positions.get("SPY", "test").quantity == 10
    assert scripted.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0


async def test_a_replacement_that_the_venue_names_and_does_not_show_yet_is_looked_for_again(
    scripted: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await resting(scripted)
    theirs = msgspec.structs.replace(old, client_order_id="theirs", limit_price=Decimal(91))
    said = scripted.venue.change(old.venue_order_id, theirs)
    await scripted.venue.cancel(said.venue_order_id)
    scripted.venue.news.clear()
    read, behind = scripted.venue.order_by_id, iter(range(2))

    async def order_by_id(venue_order_id: str) -> VenueOrder | None:
        return None if next(behind, None) is not None else await read(venue_order_id)

    monkeypatch.setattr(scripted.venue, "order_by_id", order_by_id)
    await scripted.core.poll_orders()
    assert (old.status, scripted.core.ledger.book.get("theirs")) == (OrderStatus.REPLACED, None)
    for _ in range(2):
        await scripted.core.poll_orders()
    successor = known(scripted, "theirs")
    assert (successor.status, successor.replaces) == (OrderStatus.CANCELED, old.client_order_id)


async def test_a_pending_replacement_that_the_venue_refuses_leads_back(scripted: ScriptedDesk) -> None:
    old = await resting(scripted)
    said = scripted.venue.orders[old.client_order_id]
    now = scripted.clock.now()
    pending = msgspec.structs.replace(said, status=OrderStatus.PENDING_REPLACE, updated_at=now)
    scripted.core.on_trade_update(TradeUpdate(event="pending_replace", order=pending, timestamp=now))
    assert old.status is OrderStatus.PENDING_REPLACE
    scripted.core.on_trade_update(TradeUpdate(event="new", order=said, timestamp=now))
    assert old.status is OrderStatus.PENDING_REPLACE, "old news"
    back = msgspec.structs.replace(said, updated_at=now + 1)
    scripted.core.on_trade_update(TradeUpdate(event="order_replace_rejected", order=back, timestamp=now + 1))
    assert old.status is OrderStatus.NEW
    await until(lambda: any("It keeps working" in said for said in remedies(scripted)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (OrderChanges(), "Nothing would change"),
        (OrderChanges(limit_price=Decimal(90)), "Nothing would change"),
        (OrderChanges(stop_price=Decimal(80)), "no stop price"),
        (OrderChanges(trail=Decimal(1)), "no trail"),
        (OrderChanges(quantity=Decimal(0)), "must be above"),
    ],
)
async def test_a_change_that_cannot_be_meant_is_refused_in_words(
    scripted: ScriptedDesk, changes: OrderChanges, words: str
) -> None:
    old = await resting(scripted)
    with pytest.raises(OrderError, match=words):
        await scripted.core.replace(old.client_order_id, changes)
    assert scripted.core.check_change(old.client_order_id, changes).message.count(words)


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("heard", [True, False])
async def test_killed_while_the_change_is_on_the_wire_the_next_life_knows_which_order_works(
    tmp_path: Path, landed: bool, heard: bool
) -> None:
    """`heard`: the old order's end was told before the kill."""
    clock = SkippingClock()
    venue = ScriptedVenue(clock)
    first = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    await first.open()
    old = await resting(first)
    venue.answers.append("late")
    venue.hold = asyncio.Event()
    task = asyncio.create_task(first.core.replace(old.client_order_id, DEARER))
    await until(lambda: len(venue.submits) == 2)
    task.cancel()
    new_id = venue.submits[-1]
    if landed:
        venue.change(old.venue_order_id, msgspec.structs.replace(known(first, new_id)))
    else:
        venue.fill(old.client_order_id, Decimal(10))
    if heard:
        first.hear()
    await first.close()
    venue.hold = None
    second = ScriptedDesk(venue, clock, tmp_path / "orders.db")
    await second.open()
    states = {key: known(second, key).status for key in (old.client_order_id, new_id)}
    ended = OrderStatus.REPLACED if landed else OrderStatus.FILLED
    assert states == {old.client_order_id: ended, new_id: OrderStatus.NEW if landed else OrderStatus.REJECTED}
    assert second.core.ledger.positions.net("SPY") == (0 if landed else 10)
    await second.close()


async def test_on_the_real_exchange_quantity_and_price_change_together(exchange: ExchangeServer, desk: Desk) -> None:
    first = await desk.core.place(buy(2, limit="100.00"))
    await until(lambda: desk.core.ledger.book.open[0].status is OrderStatus.NEW)
    await fault(exchange, kind="lose_response", path="/v2/orders", method="PATCH", count=1)
    changes = OrderChanges(quantity=Decimal(3), limit_price=Decimal("101.00"))
    placed = await desk.core.replace(first.client_order_id, changes)
    await until(lambda: len(desk.core.ledger.book.open) == 1)
    [said] = await desk.broker.open_orders()
    assert (said.client_order_id, said.quantity, said.limit_price) == (placed.client_order_id, 3, 101)
    await desk.core.cancel(first.client_order_id)
    await until(lambda: not desk.core.ledger.book.open)


@pytest.mark.parametrize("step", STEPS)
async def test_a_real_process_killed_while_it_changes_an_order_leaves_one_that_works(
    exchange: ExchangeServer, tmp_path: Path, step: str
) -> None:
    path = tmp_path / "orders.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.execution.dying_change", exchange.url, str(path), step,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    old_id, new_id = (await process.stdout.readline()).decode().split()
    process.kill()
    await process.wait()
    desk = Desk(exchange.url, path)
    await desk.open()
    landed = step in {"after-send", "after-answer"}
    [said] = await desk.broker.open_orders()
    assert said.client_order_id == (new_id if landed else old_id)
    states = {key: order.status for key in (old_id, new_id) if (order := desk.core.ledger.book.get(key)) is not None}
    assert states[old_id] is (OrderStatus.REPLACED if landed else OrderStatus.NEW)
    assert states.get(new_id) is {"before-commit": None, "before-send": OrderStatus.SENT}.get(step, OrderStatus.NEW)
    # Whichever lives, a cancel under either id reaches it, and what was never sent then cannot come any more.
    await desk.core.cancel(old_id)
    await until_async(lambda: nothing_left(desk))
    await desk.close()


async def nothing_left(desk: Desk) -> bool:
    await desk.core.poll_orders()
    return not desk.core.ledger.book.open


def remedies(desk: ScriptedDesk) -> list[str]:
    return [event.remedy for event in desk.events if isinstance(event, SystemEvent)]
