"""Losses turn trading down exactly at their limits, only a person turns it up, and repetition pauses one sleeve."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.bus import Bus
from engine.clock import IdFactory, ManualClock
from engine.domain.events import SystemEvent, TradingState
from engine.domain.orders import Fill, Side
from engine.domain.portfolio import Account
from engine.execution.alarms import Alarms
from engine.execution.switch import TradingSwitch
from engine.risk.breaker import RepetitionWatch, state_for
from engine.risk.limits import Limits
from engine.storage.journal import open_journal
from tests.risk.test_gate import ACCOUNT

LIMITS = Limits()


def worth(equity: str, last: str = "100000") -> Account:
    return msgspec.structs.replace(ACCOUNT, equity=Decimal(equity), last_equity=Decimal(last))


@pytest.mark.parametrize(
    ("equity", "peak", "expected"),
    [
        ("100000", "100000", TradingState.ACTIVE),
        ("97000.01", "100000", TradingState.ACTIVE),
        ("97000", "100000", TradingState.REDUCING),
        ("95000.01", "100000", TradingState.REDUCING),
        ("95000", "100000", TradingState.HALTED),
        ("0", "100000", TradingState.HALTED),
        ("-5", "100000", TradingState.HALTED),
        ("99000", "110000.00", TradingState.HALTED),
        ("99000.01", "110000", TradingState.ACTIVE),
        ("100000", "0", TradingState.ACTIVE),
    ],
)
def test_a_day_loss_and_a_fall_from_the_peak_count_from_their_limits_on(
    equity: str, peak: str, expected: TradingState
) -> None:
    state, reason = state_for(worth(equity), Decimal(peak), LIMITS)
    assert state is expected
    assert bool(reason) == (state is not TradingState.ACTIVE)


def test_a_fall_from_the_peak_counts_though_the_venue_names_no_close_of_yesterday() -> None:
    assert state_for(worth("90000", last="0"), Decimal(100_000), LIMITS)[0] is TradingState.HALTED
    assert state_for(worth("100000", last="0"), Decimal(100_000), LIMITS)[0] is TradingState.ACTIVE


async def test_half_of_the_fall_that_halts_is_told_once_for_each_peak(
    tmp_path: Path, told: tuple[Bus, list[str]]
) -> None:
    bus, states = told
    clock = ManualClock(1)
    journal, recovered = open_journal(tmp_path / "orders.db")
    switch = TradingSwitch(journal, recovered, Alarms(bus, clock, IdFactory(clock)))
    for equity in ("100000", "95000.01", "95000", "94000", "96000", "95000", "100001", "95000"):
        await switch.follow(worth(equity, last=equity), LIMITS)
    await journal.close()
    await bus.close()
    assert states == ["alert", "alert"], "at 95,000, and again after a new peak"


def fill(order: int, side: Side = Side.BUY, sleeve: str = "bot", symbol: str = "SPY") -> Fill:
    return Fill(
        execution_id=f"e{order}", client_order_id=str(order), venue_order_id="v", symbol=symbol, side=side,
        quantity=Decimal(1), price=Decimal(1), timestamp=1, sleeve=sleeve,
    )  # fmt: skip


def test_five_orders_one_way_within_a_minute_pause_that_sleeve_in_that_symbol() -> None:
    watch = RepetitionWatch(LIMITS)
    assert not any(watch.note(fill(number), 100.0 + number) for number in range(4))
    assert watch.note(fill(4), 160.0)
    assert watch.paused_until("bot", "SPY") == 220.0
    assert watch.paused_until("bot", "AAPL") == watch.paused_until("other", "SPY") == 0.0
    assert not watch.note(fill(5), 161.0), "the pause is told once"


def test_parts_of_one_order_other_ways_and_other_sleeves_are_no_repetition() -> None:
    watch = RepetitionWatch(LIMITS)
    assert not any(watch.note(fill(1), 100.0) for _ in range(50))
    assert not any(watch.note(fill(10 + n, side), 101.0) for n in range(10) for side in Side)
    assert not any(watch.note(fill(40 + n, sleeve=f"s{n}"), 102.0) for n in range(10))
    late = RepetitionWatch(LIMITS)
    assert not any(late.note(fill(n), 100.0 + 15.1 * n) for n in range(20)), "only four within any minute"


@pytest.fixture
async def told() -> AsyncIterator[tuple[Bus, list[str]]]:
    states: list[str] = []
    bus = Bus(lambda event, error: None)
    bus.subscribe(SystemEvent, lambda event: states.append(event.state))
    bus.start()
    yield bus, states
    await bus.close()


async def test_losses_only_turn_down_and_what_was_decided_outlives_the_process(
    tmp_path: Path, told: tuple[Bus, list[str]]
) -> None:
    bus, states = told
    clock = ManualClock(1)
    alarms = Alarms(bus, clock, IdFactory(clock))
    path = tmp_path / "orders.db"
    journal, recovered = open_journal(path)
    switch = TradingSwitch(journal, recovered, alarms)
    for equity in ("100000", "97000", "95000", "99999"):
        await switch.follow(worth(equity), LIMITS)
    assert switch.state is TradingState.HALTED, "money that comes back resumes nothing"
    await journal.close()
    journal, recovered = open_journal(path)
    again = TradingSwitch(journal, recovered, alarms)
    assert (again.state, "day loss" in again.reason) == (TradingState.HALTED, True)
    again.turn(TradingState.ACTIVE, "resumed by hand")
    await again.write()
    # The peak came back too: a new day's close does not hide how far the account has fallen.
    await again.follow(worth("90000", last="90000"), LIMITS)
    assert again.state is TradingState.HALTED
    await journal.close()
    await bus.close()
    assert [state for state in states if state != "alert"] == ["REDUCING", "HALTED", "ACTIVE", "HALTED"]
