"""Nothing lost, nothing doubled: the trading core against a venue that loses answers, fails, repeats and disappears."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.broker import alpaca
from engine.clock import SystemClock
from engine.domain.events import TradingState
from engine.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from engine.exchange.server import ExchangeServer
from engine.execution import emergency
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.context import PriceView
from engine.storage.journal import open_journal
from tests.execution.conftest import Desk, buy, fault
from tests.waiting import until, until_async


async def at_the_venue(desk: Desk) -> list[str]:
    """Every client order id that the venue has, open or closed."""
    orders = [*await desk.broker.open_orders(), *await desk.broker.closed_orders(0)]
    return sorted(order.client_order_id for order in orders)


async def held(desk: Desk) -> dict[str, Decimal]:
    return {position.symbol: position.quantity for position in await desk.broker.positions()}


async def test_an_order_fills_and_the_position_is_the_venues(desk: Desk) -> None:
    placed = await desk.core.place(buy(3))
    await until(lambda: desk.core.ledger.positions.net("SPY") == 3)
    assert placed.client_order_id.startswith("demo-test-")
    assert await held(desk) == {"SPY": Decimal(3)}
    assert [fill.sleeve for fill in desk.fills] == ["test"]


async def test_a_lost_answer_leads_to_exactly_one_order(exchange: ExchangeServer, desk: Desk) -> None:
    await fault(exchange, kind="lose_response", path="/v2/orders", method="POST", count=2)
    placed = await desk.core.place(buy(2))
    await until(lambda: desk.core.ledger.positions.net("SPY") == 2)
    assert await at_the_venue(desk) == [placed.client_order_id]


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_a_failing_venue_gets_the_same_order_again_and_has_it_once(
    exchange: ExchangeServer, desk: Desk, status: int
) -> None:
    await fault(exchange, kind="http_status", status=status, path="/v2/orders", method="POST", count=2)
    placed = await desk.core.place(buy())
    await until(lambda: desk.core.ledger.positions.net("SPY") == 1)
    assert await at_the_venue(desk) == [placed.client_order_id]


async def test_a_failure_after_the_fact_is_no_second_order(exchange: ExchangeServer, desk: Desk) -> None:
    await fault(exchange, kind="http_status", status=500, after=True, path="/v2/orders", method="POST", count=3)
    placed = await desk.core.place(buy())
    await until(lambda: desk.core.ledger.positions.net("SPY") == 1)
    assert await at_the_venue(desk) == [placed.client_order_id]
    assert await held(desk) == {"SPY": Decimal(1)}


async def test_an_outcome_that_cannot_be_learnt_is_reserved_told_and_found_later(
    exchange: ExchangeServer, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca, "READ_PAUSE", 0.02)
    desk.core._sender._life = 1.0
    await fault(exchange, kind="http_status", status=500, after=True, path="/v2/orders", method="POST", count=100)
    await fault(exchange, kind="http_status", status=500, path="/v2/orders:by", count=100)
    await fault(exchange, kind="lose_updates", count=100)
    placed = await desk.core.place(buy(limit="100.00"))
    assert placed.status == "unresolved"
    assert desk.core.ledger.gross_exposure(lambda symbol: Decimal(1)) == 100
    await until(lambda: any("not known" in getattr(event, "message", "") for event in desk.events))
    await fault(exchange, kind="clear")
    await desk.core.poll_orders()
    order = desk.core.ledger.book.get(placed.client_order_id)
    assert order is not None
    assert order.venue_order_id
    # What surfaces after its time is cancelled, because nobody expects it any more.
    await until_async(lambda: _none_open(desk))


async def _none_open(desk: Desk) -> bool:
    return not await desk.broker.open_orders()


async def test_a_refusal_is_final_and_in_the_venues_words(desk: Desk) -> None:
    desk.core.limits = msgspec.structs.replace(desk.core.limits, max_order_quantity=Decimal(10**6))
    desk.prices["SPY"] = PriceView(bid=0.01, ask=0.01, last=0.01, age=0.0)
    placed = await desk.core.place(buy(900_000))
    assert placed.status == "rejected"
    assert "buying power" in placed.message


async def test_repeated_late_and_lost_updates_count_each_fill_once(exchange: ExchangeServer, desk: Desk) -> None:
    await fault(exchange, kind="duplicate_updates", count=4)
    await desk.core.place(buy(1))
    await fault(exchange, kind="lose_updates", count=4)
    await desk.core.place(buy(2))
    await desk.core.reconcile("test")
    await fault(exchange, kind="clear")
    placed = await desk.core.place(buy(4))
    assert placed.status != "blocked", placed.message
    await until(lambda: desk.core.ledger.positions.net("SPY") == 7)
    await desk.core.reconcile("test")
    assert desk.core.ledger.positions.net("SPY") == 7
    assert sorted(fill.quantity for fill in desk.fills) == [1, 2, 4]
    assert desk.core.ledger.positions.get("SPY", EXTERNAL_SLEEVE).quantity == 0


async def test_a_cancel_overtakes_a_submit_that_hangs(exchange: ExchangeServer, desk: Desk) -> None:
    resting = await desk.core.place(buy(limit="100.00"))
    await fault(exchange, kind="delay", seconds=1.0, path="/v2/orders", method="POST")
    hanging = asyncio.create_task(desk.core.place(buy(limit="101.00")))
    await desk.core.cancel(resting.client_order_id)
    await until(lambda: _status(desk, resting.client_order_id) is OrderStatus.CANCELED)
    assert not hanging.done()
    await hanging


async def test_an_order_cancelled_on_its_way_does_not_stay(exchange: ExchangeServer, desk: Desk) -> None:
    await fault(exchange, kind="delay", seconds=0.5, path="/v2/orders", method="POST")
    task = asyncio.create_task(desk.core.place(buy(limit="100.00")))
    await until(lambda: desk.core.ledger.book.open)
    await desk.core.cancel(desk.core.ledger.book.open[0].client_order_id)
    await task
    await until_async(lambda: _none_open(desk))


def _status(desk: Desk, client_order_id: str) -> OrderStatus:
    order = desk.core.ledger.book.get(client_order_id)
    assert order is not None
    return order.status


async def test_orders_of_others_are_shown_and_not_touched(desk: Desk) -> None:
    foreign = Order(
        client_order_id="somebody-else", symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, sleeve="x", created_at=0, limit_price=Decimal(100),
    )  # fmt: skip
    await desk.broker.submit(foreign)
    await desk.core.poll_orders()
    seen = desk.core.ledger.book.get("somebody-else")
    assert seen is not None
    assert seen.foreign
    assert seen.is_open


async def test_the_trading_state_survives_and_holds(exchange: ExchangeServer, tmp_path: Path) -> None:
    first = Desk(exchange.url, tmp_path / "orders.db")
    await first.open()
    await first.core.set_trading_state(TradingState.HALTED, "test")
    await first.close()
    second = Desk(exchange.url, tmp_path / "orders.db")
    await second.open()
    await second.learn_prices(exchange)
    placed = await second.core.place(buy())
    assert (placed.status, second.core.trading_state) == ("blocked", TradingState.HALTED)
    assert await at_the_venue(second) == []
    await second.close()


async def test_the_emergency_stop_ends_flat_whatever_is_open(desk: Desk) -> None:
    await desk.core.place(buy(3, sleeve="one"))
    await desk.core.place(buy(2, "AAPL", sleeve="two"))
    await desk.core.place(buy(1, sleeve="two", limit="100.00"))
    await until(lambda: desk.core.ledger.positions.net("AAPL") == 2 and desk.core.ledger.positions.net("SPY") == 3)
    report = await desk.core.emergency_stop("test", flatten=True)
    assert report.flat, report.steps
    assert report.text.startswith("FLAT CONFIRMED")
    assert await held(desk) == {}
    assert await desk.broker.open_orders() == []
    assert desk.core.trading_state is TradingState.HALTED


async def test_the_emergency_stop_asks_at_once_for_what_a_dead_process_had_sent(
    exchange: ExchangeServer, tmp_path: Path
) -> None:
    path = tmp_path / "orders.db"
    landed, lost = (
        Order(
            client_order_id=f"demo-one-{name}", symbol="SPY", side=Side.BUY, quantity=Decimal(1), type=OrderType.LIMIT,
            time_in_force=TimeInForce.DAY, sleeve="one", created_at=SystemClock().now(), limit_price=Decimal(100),
            status=OrderStatus.SENT,
        )
        for name in ("landed", "lost")
    )  # fmt: skip
    journal, _ = open_journal(path)
    await journal.append(landed, lost)
    await journal.close()
    desk = Desk(exchange.url, path)
    await desk.open(stream=False, reconcile=False)
    await desk.broker.submit(landed)
    report = await desk.core.emergency_stop("test", flatten=True)
    assert report.open_orders == [f"perhaps buy 1 SPY ({lost.client_order_id})"]
    assert not [step for step in report.steps if "still on their way" in step], "nobody is there who could send it"
    assert await desk.broker.open_orders() == []
    found = desk.core.ledger.book.get(landed.client_order_id)
    assert found is not None
    assert found.venue_order_id
    await desk.close()


async def test_without_an_answer_the_emergency_stop_says_so(
    exchange: ExchangeServer, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "PHASE", 0.2)
    monkeypatch.setattr(alpaca, "READ_PAUSE", 0.02)
    monkeypatch.setattr(alpaca, "CANCEL_PAUSE", 0.02)
    await desk.core.place(buy(1))
    await fault(exchange, kind="http_status", status=503, count=10_000)
    report = await desk.core.emergency_stop("test", flatten=True)
    assert not report.flat
    assert "NOT CONFIRMED" in report.text
    await fault(exchange, kind="clear")


@pytest.mark.parametrize("step", ["before-commit", "before-send", "after-send"])
async def test_killed_between_journal_and_answer_there_is_exactly_one_order_or_none(
    exchange: ExchangeServer, tmp_path: Path, step: str
) -> None:
    """A real process is killed at the step; the next life finds the truth by asking."""
    path = tmp_path / "orders.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.execution.dying_desk", exchange.url, str(path), step,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    process.kill()
    await process.wait()
    client_order_id = line.decode().strip()
    desk = Desk(exchange.url, path)
    await desk.open()
    order = desk.core.ledger.book.get(client_order_id)
    if step == "before-commit":
        assert order is None, "nothing was written down, so nothing was sent"
        assert await at_the_venue(desk) == []
    elif step == "before-send":
        assert order is not None
        assert order.status is OrderStatus.SENT, "whether it left is for the venue to say"
        assert await at_the_venue(desk) == []
    else:
        assert await at_the_venue(desk) == [client_order_id]
        await until(lambda: desk.core.ledger.positions.net("SPY") == 1)
        assert await held(desk) == {"SPY": Decimal(1)}
    await desk.close()


async def test_a_journal_that_cannot_be_written_sends_nothing(exchange: ExchangeServer, desk: Desk) -> None:
    await desk._journal.close()
    path = desk._path
    path.chmod(0o400)
    journal, _ = open_journal(path)
    journal._database.execute("PRAGMA query_only = ON")
    desk.core.ledger._journal = journal
    placed = await desk.core.place(buy())
    assert placed.status == "rejected"
    assert "journal" in placed.message
    assert await at_the_venue(desk) == []
    await journal.close()
    path.chmod(0o600)
    desk._journal, _ = open_journal(path)
    desk.core.ledger._journal = desk._journal
