"""A bot's signal becomes the right order once; one at a time for each sleeve and symbol, the newest first, never late."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from engine.domain.events import OrderEvent, TradingState
from engine.domain.orders import OrderStatus
from engine.execution.signals import SignalDesk
from engine.portfolio.targets import SleevePlan
from engine.streams.messages import Signal
from tests.execution.conftest import buy
from tests.execution.scripted_venue import LOOSE, ScriptedDesk, ScriptedVenue, SkippingClock
from tests.waiting import until

CAPITAL = Decimal(5_000)


class BotDesk(ScriptedDesk):
    """With the signals of one bot called test, as the orchestrator joins them."""

    def join(self) -> None:
        self.dropped: list[str] = []
        self.plans = {"test": SleevePlan(name="test", capital=CAPITAL)}
        self._numbers = itertools.count()
        self.signals = SignalDesk(
            self.core,
            self.plans,
            lambda symbol: self.price,
            self.clock,
            lambda signal, reason: self.dropped.append(reason),
        )
        self.bus.subscribe(OrderEvent, self._ended)

    def _ended(self, event: OrderEvent) -> None:
        if event.order.status.is_final:
            self.signals.wake(event.order.sleeve, event.order.symbol)

    def signal(self, weight: float, age: float = 0.0, sleeve: str = "test") -> Signal:
        return Signal(
            signal_id=str(next(self._numbers)), sleeve=sleeve, strategy="s", symbol="SPY", weight=weight,
            confidence=1.0, price=100.0, as_of=0, made_at=self.clock.now() - round(age * 1e9),
        )  # fmt: skip

    @property
    def idle(self) -> bool:
        return not self.signals._working


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[BotDesk]:
    clock = SkippingClock()
    limits = msgspec.structs.replace(LOOSE, signal_life_s=30.0)
    desk = BotDesk(ScriptedVenue(clock), clock, tmp_path / "orders.db", limits)
    await desk.open()
    desk.join()
    yield desk
    await desk.signals.close()
    await desk.close()


async def settle(bot: BotDesk) -> None:
    """Until the newest signal has had its order and its fill."""
    await until(lambda: bot.idle)
    bot.hear()
    await until(lambda: not bot.bus.backlog and bot.idle)


async def test_a_signal_is_bought_once_however_often_it_comes(bot: BotDesk) -> None:
    signal = bot.signal(1.0)
    bot.signals.take(signal)
    bot.signals.take(signal)
    await settle(bot)
    bot.signals.take(signal)
    await settle(bot)
    assert bot.venue.held == {"SPY": 50}
    assert len(bot.venue.submits) == 1
    [order] = bot.core.ledger.book
    assert order.cause_id == signal.signal_id


async def test_while_an_order_works_only_the_newest_signal_waits(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0))
    await until(lambda: bot.venue.orders)
    for weight in (0.1, 0.9, 0.4):
        bot.signals.take(bot.signal(weight))
    assert len(bot.venue.submits) == 1
    await settle(bot)
    await settle(bot)
    assert bot.venue.held == {"SPY": 20}
    assert len(bot.venue.submits) == 2


async def test_an_unresolved_order_holds_the_next_one_back(bot: BotDesk) -> None:
    bot.core._sender._life = 0.05
    bot.venue.answers.append("late")
    bot.signals.take(bot.signal(1.0))
    await until(lambda: bot.venue.submits and bot.idle)
    bot.signals.take(bot.signal(0.5))
    await settle(bot)
    assert len(bot.venue.submits) == 1


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1.01, -7.0])
async def test_a_weight_that_is_none_is_dropped(bot: BotDesk, weight: float) -> None:
    bot.signals.take(bot.signal(weight))
    await settle(bot)
    assert bot.venue.submits == []
    assert "weight" in bot.dropped[0]


async def test_an_old_signal_is_dropped_and_counted(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0, age=31.0))
    await settle(bot)
    assert (bot.venue.submits, bot.signals.expired) == ([], 1)


async def test_a_signal_of_an_unknown_sleeve_is_nobodys(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0, sleeve="stranger"))
    await settle(bot)
    assert bot.venue.submits == []


async def test_a_long_only_bot_goes_flat_when_it_would_be_short(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0))
    await settle(bot)
    bot.signals.take(bot.signal(-1.0))
    await settle(bot)
    assert bot.venue.held == {}


async def test_what_the_venue_refuses_is_not_tried_again_until_the_next_signal(bot: BotDesk) -> None:
    await bot.core.place(buy(100))
    bot.hear()
    bot.venue.answers.extend(["refuse"] * 1_000)
    bot.signals.take(bot.signal(0.5))
    await settle(bot)
    await _turns()
    assert len(bot.venue.submits) == 2


async def test_a_halted_desk_answers_a_signal_once(bot: BotDesk) -> None:
    await bot.core.place(buy(100))
    bot.hear()
    await bot.core.set_trading_state(TradingState.HALTED, "test")
    bot.signals.take(bot.signal(0.5))
    await settle(bot)
    await _turns()
    assert [order.status for order in bot.core.ledger.book].count(OrderStatus.BLOCKED) == 1


async def _turns() -> None:
    """Many turns of the loop: a loop that feeds itself would show."""
    for _ in range(200):
        await asyncio.sleep(0)


async def test_what_drifted_from_a_living_signal_is_sent_by_the_periodic_rebalance(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0))
    await settle(bot)
    bot.price = msgspec.structs.replace(bot.price, bid=90.0, ask=90.0, last=90.0)
    await bot.signals.rebalance()
    await settle(bot)
    assert bot.core.ledger.positions.get("SPY", "test").quantity == 55, "$5,000 at $90"


async def test_a_drift_below_what_an_order_is_worth_is_left(bot: BotDesk) -> None:
    bot.plans["test"] = msgspec.structs.replace(bot.plans["test"], minimum_notional=Decimal(150))
    bot.signals.take(bot.signal(1.0))
    await settle(bot)
    bot.price = msgspec.structs.replace(bot.price, bid=100.9, ask=100.9, last=100.9)
    await bot.signals.rebalance()
    await settle(bot)
    assert bot.core.ledger.positions.get("SPY", "test").quantity == 50


async def test_nothing_is_rebalanced_to_a_signal_that_has_expired_or_while_bots_are_paused(bot: BotDesk) -> None:
    bot.signals.take(bot.signal(1.0))
    await settle(bot)
    bot.price = msgspec.structs.replace(bot.price, bid=50.0, ask=50.0, last=50.0)
    bot.signals.paused = True
    await bot.signals.rebalance()
    bot.signals.paused = False
    bot.clock.skip(31.0)
    await bot.signals.rebalance()
    await settle(bot)
    assert len(bot.venue.submits) == 1
